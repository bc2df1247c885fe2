//! What ipmi_sim (Debian's package openipmi) reads at its start: a BMC that has one user, an operator, and
//! whose machine is switched by a program.

/// Its LAN and its machine (`-c`). `chassis` is run with `get power` and `set power 0`.
pub fn lan(address: &str, port: u16, user: &str, password: &str, chassis: &str) -> String {
    let levels = ["callback", "user", "operator", "admin"];
    let levels = levels.map(|level| format!("allowed_auths_{level} none md2 md5 straight\n"));
    format!(
        "name \"bmc\"\n\
         set_working_mc 0x20\n\
         startlan 1\n\
         addr {address} {port}\n\
         priv_limit admin\n\
         {}guid a123456789abcdefa123456789abcdef\n\
         endlan\n\
         chassis_control \"{chassis}\"\n\
         poweroff_wait 1\n\
         kill_wait 1\n\
         user 2 true \"{user}\" \"{password}\" operator 10 none md2 md5 straight\n",
        levels.concat()
    )
}

/// What it emulates (`-f`).
pub const COMMANDS: &str = "mc_setbmc 0x20\n\
    mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n\
    sel_enable 0x20 1000 0x0a\n\
    mc_enable 0x20\n";

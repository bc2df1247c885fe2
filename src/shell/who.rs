//! Who gave an order, as far as this machine knows: for the log and the history.

use super::signals::Sender;
use std::fs;

/// "alice (root, process 4711)": who logged in, as whom the command ran, and its process.
pub fn words(sender: Sender) -> String {
    let Sender { pid, uid } = sender;
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = name(uid, &passwd);
    let login = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok();
    let login = login.and_then(|text| text.trim().parse().ok());
    let login = login.filter(|login| *login != NO_LOGIN && *login != uid);
    let who = match login {
        Some(login) => format!("{} as {user}", name(login, &passwd)),
        None => user,
    };
    match pid {
        0 => who,
        _ => format!("{who}, process {pid}"),
    }
}

/// Of what nobody logged in for.
const NO_LOGIN: u32 = u32::MAX;

/// See passwd(5).
fn name(uid: u32, passwd: &str) -> String {
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("user {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_called_by_name_where_there_is_one() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(name(0, passwd), "root");
        assert_eq!(name(1000, passwd), "alice");
        assert_eq!(name(1001, passwd), "user 1001");
    }

    #[test]
    fn what_the_kernel_sends_has_no_process() {
        assert_eq!(words(Sender { pid: 0, uid: 0 }), "root");
        let here = Sender {
            pid: std::process::id() as i32,
            uid: 65_533,
        };
        assert!(words(here).contains(&format!("process {}", here.pid)));
    }
}

//! ipmi_sim (Debian's package openipmi): a BMC for a machine that is a file.

#[path = "sim_files.rs"]
mod sim_files;

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub struct Sim {
    pub address: SocketAddr,
    dir: PathBuf,
    child: Child,
}

impl Sim {
    /// None: it is not installed.
    pub fn start() -> Option<Sim> {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr();
        let address = free.unwrap();
        let dir = std::env::temp_dir().join(format!("ha-ipmi-sim-{}", address.port()));
        fs::create_dir_all(dir.join("state")).unwrap();
        fs::write(dir.join("power"), "1").unwrap();
        let script = dir.join("chassis");
        fs::write(&script, chassis(&dir)).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let (lan, emulation) = (dir.join("lan"), dir.join("emulation"));
        let (ip, port) = (address.ip().to_string(), address.port());
        let configuration = sim_files::lan(&ip, port, "ha", "secret#1", script.to_str().unwrap());
        fs::write(&lan, configuration).unwrap();
        fs::write(&emulation, sim_files::COMMANDS).unwrap();
        let mut program = Command::new("ipmi_sim");
        program.arg("-c").arg(&lan).arg("-f").arg(&emulation);
        program.arg("-s").arg(dir.join("state")).arg("-n");
        program
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = program.spawn().ok()?;
        let sim = Sim {
            address,
            dir,
            child,
        };
        sim.wait();
        Some(sim)
    }

    pub fn is_on(&self) -> bool {
        fs::read_to_string(self.dir.join("power")).unwrap().trim() == "1"
    }

    /// Until it has its port.
    fn wait(&self) {
        for _ in 0..500 {
            let taken = UdpSocket::bind(self.address).is_err();
            if taken {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("ipmi_sim does not listen");
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What ipmi_sim calls: `get power …` and `set power 0`.
fn chassis(dir: &std::path::Path) -> String {
    let power = dir.join("power");
    let power = power.display();
    format!(
        "#!/bin/sh\nop=$1; shift\ncase $op in\n\
         get) for p; do if [ $p = power ]; then echo power:$(cat {power}); else echo $p:0; fi; done ;;\n\
         set) if [ $1 = power ]; then echo $2 >{power}; fi ;;\nesac\nexit 0\n"
    )
}

//! A node's BMC: Debian's `ipmi_sim` (IPMI 2.0 over LAN, cipher suite 3) on the BMCs' network,
//! which asks this lab for the machine's power, and switches it. Not even its own machine reaches it but over
//! that network.
//!
//! The lab's names and numbers: user [`USER`], password [`PASSWORD`], [`address`].

#[path = "../bmc/sim_files.rs"]
mod sim_files;

use crate::link::connect;
use crate::net::{Host, Net, Wire};
use crate::sys::{self, Micros, now};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Who may switch machines off and on: an IPMI operator.
pub const USER: &str = "ha";
/// The password. `ipmi_sim` knows no longer ones than 16 letters.
pub const PASSWORD: &str = "secret-letters16";

const PORT: u16 = 623;

/// What a BMC switches.
pub trait Power: Send + Sync {
    /// Whether there is any.
    fn has_power(&self) -> bool;
    /// Gives it.
    fn on(&self) -> io::Result<()>;
    /// Takes it away, at once.
    fn off(&self);
    /// Where its files may stand.
    fn directory(&self) -> PathBuf;
}

/// A running BMC.
pub struct Bmc {
    simulator: Child,
    chassis: Arc<Mutex<Chassis>>,
}

/// What it knows of its machine.
#[derive(Default)]
struct Chassis {
    orders: Vec<String>,
    /// So long it will say off after the next order, which it does not carry out.
    lie: Option<Duration>,
    /// Until then it says off of a machine that has power.
    lies_until: Micros,
}

impl Bmc {
    /// Plugs a node's BMC in and starts it; returns when it hears.
    pub fn start(net: &Net, node: Host, machine: Arc<dyn Power>) -> io::Result<Bmc> {
        let directory = machine.directory().join("bmc");
        fs::create_dir_all(directory.join("state"))?;
        let socket = Bmc::socket(&*machine);
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket)?;
        let chassis = Arc::<Mutex<Chassis>>::default();
        let known = chassis.clone();
        // It ends with this process.
        std::thread::spawn(move || {
            for asked in listener.incoming().flatten() {
                let _ = serve(asked, &*machine, &known);
            }
        });
        net.attach(node.bmc(), &[Wire::Bmc])?;
        let address = address(net, node);
        let lan = directory.join("lan.conf");
        let hook = format!(
            "{} __chassis {}",
            std::env::current_exe()?.display(),
            socket.display()
        );
        fs::write(&lan, sim_files::lan(&address, PORT, USER, PASSWORD, &hook))?;
        let commands = directory.join("commands");
        fs::write(&commands, sim_files::COMMANDS)?;
        let log = File::create(directory.join("log"))?;
        let mut command = Command::new("ipmi_sim");
        command.arg("-n").arg("-c").arg(lan).arg("-f").arg(commands);
        command.arg("-s").arg(directory.join("state"));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        sys::place(&mut command, &net.netns(node.bmc()), &[])?;
        let bmc = Bmc {
            simulator: command.spawn()?,
            chassis,
        };
        hears(&net.netns(node.bmc()))?;
        Ok(bmc)
    }

    /// Where `lab __chassis` asks for the machine's power, or switches it.
    pub fn socket(machine: &dyn Power) -> PathBuf {
        machine.directory().join("bmc/chassis")
    }

    /// What it was told to do with the machine's power so far, as `ipmi_sim` passes it on: `set power 0`.
    pub fn orders(&self) -> Vec<String> {
        self.chassis().orders.clone()
    }

    /// The next order to switch off will not be carried out, and for so long it will say off all the same.
    pub fn lies(&self, during: Duration) {
        self.chassis().lie = Some(during);
    }

    fn chassis(&self) -> MutexGuard<'_, Chassis> {
        self.chassis.lock().expect("no panic while held")
    }
}

impl Drop for Bmc {
    fn drop(&mut self) {
        let _ = self.simulator.kill();
        let _ = self.simulator.wait();
    }
}

/// Where a node's BMC is.
pub fn address(net: &Net, node: Host) -> String {
    let segment = net.topology.segment(Wire::Bmc).expect("a network of BMCs");
    segment.address(node.bmc(), Wire::Bmc)
}

/// `ipmitool` with all that it needs to reach a node's BMC at once, for a shell: `chassis power status` and
/// the like follow.
pub fn ipmitool(net: &Net, node: Host) -> String {
    let address = address(net, node);
    // Another suite is refused, and to ask for the list of them takes 10 s.
    format!("ipmitool -I lanplus -C 3 -L OPERATOR -N 2 -R 2 -H {address} -U {USER} -P '{PASSWORD}'")
}

/// What `ipmi_sim` runs for each question about the machine, and each order; the program behind
/// `lab __chassis SOCKET get power`.
pub fn chassis_main(socket: &str, words: &[&str]) -> io::Result<()> {
    let mut stream = connect(Path::new(socket))?;
    stream.write_all(words.join(" ").as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    print!("{answer}");
    Ok(())
}

fn serve(mut asked: UnixStream, machine: &dyn Power, chassis: &Mutex<Chassis>) -> io::Result<()> {
    let mut words = String::new();
    asked.read_to_string(&mut words)?;
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut answer = String::new();
    match words[..] {
        ["get", ref asked @ ..] => {
            let lies = now() < chassis.lock().expect("no panic while held").lies_until;
            for what in asked {
                let set = *what == "power" && machine.has_power() && !lies;
                answer += &format!("{what}:{}\n", u8::from(set));
            }
        }
        ["set", ..] => {
            let order = words.join(" ");
            let honest = chassis.lock().expect("no panic while held").told(&order);
            match words[1..] {
                ["power", "1", ..] => machine.on()?,
                ["power", ..] if honest => machine.off(),
                ["reset", ..] => {
                    machine.off();
                    machine.on()?;
                }
                _ => {}
            }
        }
        _ => {}
    }
    asked.write_all(answer.as_bytes())
}

impl Chassis {
    /// Notes an order; says whether to carry it out.
    fn told(&mut self, order: &str) -> bool {
        self.orders.push(order.to_owned());
        let lie = self.lie.take_if(|_| order == "set power 0");
        let until = lie.map_or(0, |during| now() + during.as_micros() as Micros);
        self.lies_until = until;
        lie.is_none()
    }
}

/// Waits until something has IPMI's port there.
fn hears(netns: &str) -> io::Result<()> {
    let asked = now();
    let port = format!(":{PORT:04X} ");
    while sys::since(asked) < Duration::from_secs(10) {
        let open = sys::within(netns, || fs::read_to_string("/proc/thread-self/net/udp"))?;
        if open.contains(&port) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(io::Error::other("ipmi_sim does not open its port"))
}

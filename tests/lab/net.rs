//! The lab's network: one switch with two bridges (service LAN, interlink), a gateway, a client
//! and two nodes, each in a network namespace of its own.
//!
//! ```text
//!   gateway 10.77.0.1 ─┐                    ┌─ client 10.77.0.50
//!                      ├──── service LAN ───┤
//!          lan0 .11 ── a                    b ── lan0 .12
//!          il0  .1  ── a ──── interlink ─── b ── il0  .2       10.88.0.0/30
//! ```
//!
//! Every address has an IPv6 twin (`fd77::`, `fd88::`). These are the usual names and addresses;
//! `topology` has them, and others. The switch's ports are called `a-lan`,
//! `b-il` and so on: a fault is made there and never inside a node. All names start with
//! `ha<pid>-`, so that several labs can run at once and a dead one can be swept away.

use crate::rtnl::Rtnl;
use crate::sys::{self, within};
use crate::topology::{Segment, Topology};
use std::collections::HashMap;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};

/// The VIP of every scenario.
pub const VIP: &str = "10.77.0.100";
/// Its IPv6 sibling.
pub const VIP6: &str = "fd77::100";
/// The gateway on the service LAN.
pub const GATEWAY: &str = "10.77.0.1";
/// The port of the appliance's heartbeats.
pub const HEARTBEAT_PORT: u16 = 5405;

/// A box on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// The first node, `lb1`.
    A,
    /// The second node, `lb2`.
    B,
    /// The router whose answers tell a node that its LAN works.
    Gateway,
    /// Who uses the VIP.
    Client,
    /// Somebody who means no good.
    Stranger,
    /// What can cut the first node's power.
    BmcOfA,
    /// What can cut the second node's power.
    BmcOfB,
}

/// Both nodes, in order.
pub const NODES: [Host; 2] = [Host::A, Host::B];

impl Host {
    /// Short name, used in namespaces and ports.
    pub fn tag(self) -> &'static str {
        match self {
            Host::A => "a",
            Host::B => "b",
            Host::Gateway => "gw",
            Host::Client => "cl",
            Host::Stranger => "st",
            Host::BmcOfA => "ma",
            Host::BmcOfB => "mb",
        }
    }

    /// The node's name in ha.toml.
    pub fn node_name(self) -> &'static str {
        match self {
            Host::A => "lb1",
            Host::B => "lb2",
            other => other.tag(),
        }
    }

    /// The other node.
    pub fn peer(self) -> Host {
        if self == Host::A { Host::B } else { Host::A }
    }

    /// What can cut a node's power.
    pub fn bmc(self) -> Host {
        if self == Host::A {
            Host::BmcOfA
        } else {
            Host::BmcOfB
        }
    }

    /// The last number of its addresses on a wire.
    pub fn number(self, wire: Wire) -> u8 {
        match (self, wire) {
            (Host::A, Wire::Lan) => 11,
            (Host::B, Wire::Lan) => 12,
            (Host::A, Wire::Interlink) => 1,
            (Host::B, Wire::Interlink) => 2,
            (Host::Gateway, _) => 1,
            (Host::Client, _) => 50,
            (Host::Stranger, _) => 66,
            (Host::A, Wire::Second | Wire::Bmc) => 11,
            (Host::B, Wire::Second | Wire::Bmc) => 12,
            (Host::BmcOfA, _) => 201,
            (Host::BmcOfB, _) => 202,
        }
    }

    /// Its hardware address on a wire.
    pub fn mac(self, wire: Wire) -> [u8; 6] {
        let net = match wire {
            Wire::Lan => 0x77,
            Wire::Second => 0x78,
            Wire::Interlink => 0x88,
            Wire::Bmc => 0x99,
        };
        [0x02, net, 0, 0, 0, self.number(wire)]
    }
}

/// One of the networks, or of a node's cables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Where clients and the gateway are: `lan0` in a node.
    Lan,
    /// The cable between the nodes: `il0`.
    Interlink,
    /// A second cable to the LAN.
    Second,
    /// Where the BMCs are.
    Bmc,
}

impl Wire {
    fn tag(self) -> &'static str {
        match self {
            Wire::Lan => "lan",
            Wire::Interlink => "il",
            Wire::Second => "lan2",
            Wire::Bmc => "bmc",
        }
    }

    fn bridge(self) -> &'static str {
        match self {
            Wire::Lan | Wire::Second => "br-lan",
            Wire::Interlink => "br-il",
            Wire::Bmc => "br-bmc",
        }
    }
}

/// The switch's end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Port(pub Host, pub Wire);

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}-{}", self.0.tag(), self.1.tag())
    }
}

/// What of a port's traffic is lost, silently: the carrier stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// Everything, both ways.
    Both,
    /// What the host sends.
    Sent,
    /// What the host should receive.
    Received,
    /// Heartbeats only, both ways: a firewall rule.
    Heartbeats,
    /// Heartbeats that the host sends.
    HeartbeatsSent,
    /// So many of a hundred frames, both ways.
    Percent(u8),
}

/// The running network. Dropping it removes everything.
pub struct Net {
    /// Who is called what on it.
    pub topology: &'static Topology,
    prefix: String,
    switch: Mutex<Rtnl>,
    ports: Mutex<HashMap<Port, u32>>,
}

impl Net {
    /// Builds switch, gateway and client. Nodes are added by [`Net::attach`].
    pub fn new(topology: &'static Topology) -> io::Result<Net> {
        let prefix = format!("ha{}-", std::process::id());
        let switch = format!("{prefix}sw");
        batch(None, &format!("netns add {switch}\n"))?;
        let mut lines = String::new();
        let bmc = topology.bmc.as_ref().map(|_| Wire::Bmc);
        for wire in [Wire::Lan, Wire::Interlink].into_iter().chain(bmc) {
            let bridge = wire.bridge();
            lines += &format!(
                "link add {bridge} type bridge forward_delay 0 stp_state 0 mcast_snooping 0\n"
            );
            lines += &format!("link set {bridge} up\n");
        }
        quieten(&switch)?;
        batch(Some(&switch), &lines)?;
        let net = Net {
            topology,
            switch: Mutex::new(Rtnl::open(&switch)?),
            prefix,
            ports: Mutex::default(),
        };
        net.nft(
            "add table bridge lab; add chain bridge lab f { type filter hook forward priority 0; }",
        )?;
        net.attach(Host::Gateway, &[Wire::Lan])?;
        net.attach(Host::Client, &[Wire::Lan])?;
        Ok(net)
    }

    /// A node's name.
    pub fn name(&self, host: Host) -> &'static str {
        self.topology.name(host)
    }

    /// A host's namespace.
    pub fn netns(&self, host: Host) -> String {
        format!("{}{}", self.prefix, host.tag())
    }

    /// The switch's namespace, where both bridges can be listened to.
    pub fn switch_netns(&self) -> String {
        format!("{}sw", self.prefix)
    }

    /// Lines for `ip -batch` by which the `n`-th container comes to each node, and goes: a namespace with a cable
    /// to it, which the kernel takes away some time after it.
    pub fn passing(&self, n: u32) -> String {
        let passing = |host: Host| {
            let (node, netns) = (
                self.netns(host),
                format!("{}pass-{}", self.prefix, host.tag()),
            );
            format!(
                "netns add {netns}\nlink add pass{n} netns {node} type veth peer name eth0 netns {netns}\n\
                 netns del {netns}\n"
            )
        };
        NODES.map(passing).concat()
    }

    /// Numbers a host's namespace for the address feed.
    pub fn number(&self, host: Host, id: i32) -> io::Result<()> {
        self.switch().number(&self.netns(host), id)
    }

    /// Creates a host's namespace, before it has any cable.
    pub fn create(&self, host: Host) -> io::Result<()> {
        let netns = self.netns(host);
        batch(None, &format!("netns add {netns}\n"))?;
        quieten(&netns)
    }

    /// Creates a host and plugs it in, with its addresses.
    pub fn attach(&self, host: Host, wires: &[Wire]) -> io::Result<()> {
        self.create(host)?;
        self.cable(host, wires)?;
        self.address(host, wires)
    }

    /// Plugs a created host in; its interfaces are down and have no addresses yet.
    pub fn cable(&self, host: Host, wires: &[Wire]) -> io::Result<()> {
        let (netns, switch) = (self.netns(host), self.switch_netns());
        let mut lines = String::new();
        for &wire in wires {
            let (port, name) = (Port(host, wire), self.segment(wire)?.interface);
            let mac = mac_text(host.mac(wire));
            lines += &format!(
                "link add {port} type veth peer name {name} address {mac} netns {netns}\n"
            );
            lines += &format!("link set {port} master {} up\n", wire.bridge());
        }
        batch(Some(&switch), &lines)?;
        self.know(host, wires)
    }

    /// Gives a virtual machine its ports, which qemu plugs it into.
    pub fn taps(&self, host: Host, wires: &[Wire]) -> io::Result<()> {
        let mut lines = String::new();
        for &wire in wires {
            let (port, bridge) = (Port(host, wire), wire.bridge());
            lines +=
                &format!("tuntap add dev {port} mode tap\nlink set {port} master {bridge} up\n");
        }
        batch(Some(&self.switch_netns()), &lines)?;
        self.know(host, wires)
    }

    fn know(&self, host: Host, wires: &[Wire]) -> io::Result<()> {
        let indices = within(&self.switch_netns(), || {
            let index = |port: Port| {
                let name = std::ffi::CString::new(port.to_string())?;
                // SAFETY: a NUL-terminated name.
                io::Result::Ok((port, unsafe { libc::if_nametoindex(name.as_ptr()) }))
            };
            wires
                .iter()
                .map(|&wire| index(Port(host, wire)))
                .collect::<io::Result<Vec<_>>>()
        })?;
        self.ports
            .lock()
            .expect("no panic while held")
            .extend(indices);
        Ok(())
    }

    /// Sets a plugged host's interfaces up, with their addresses, and gives it its default route.
    pub fn address(&self, host: Host, wires: &[Wire]) -> io::Result<()> {
        let mut lines = "link set lo up\n".to_string();
        for &wire in wires {
            let segment = self.segment(wire)?;
            let name = segment.interface;
            for address in segment.addresses(host, wire) {
                let nodad = if address.contains(':') { " nodad" } else { "" };
                lines += &format!("addr add {address} dev {name}{nodad}\n");
            }
            lines += &format!("link set {name} up\n");
            if wire == Wire::Lan && host != Host::Gateway {
                for gateway in segment.addresses(Host::Gateway, wire) {
                    let (gateway, _) = gateway.split_once('/').expect("a prefix length");
                    lines += &format!("route add default via {gateway}\n");
                }
            }
        }
        batch(Some(&self.netns(host)), &lines)
    }

    /// From now on a host trusts for ten minutes what it has learnt of its neighbours, as many routers do.
    pub fn remember_neighbours(&self, host: Host) -> io::Result<()> {
        within(&self.netns(host), || {
            ["ipv4", "ipv6"].iter().try_for_each(|family| {
                let path = format!("/proc/sys/net/{family}/neigh/lan0/base_reachable_time_ms");
                std::fs::write(path, "600000")
            })
        })
    }

    /// Removes a host: its ports, then its namespace. What still runs in it must be dead already.
    pub fn detach(&self, host: Host) -> io::Result<()> {
        let mut ports = self.ports.lock().expect("no panic while held");
        let gone: Vec<Port> = ports.keys().filter(|p| p.0 == host).copied().collect();
        let lines: String = gone.iter().map(|p| format!("link del {p}\n")).collect();
        ports.retain(|p, _| p.0 != host);
        batch(Some(&self.switch_netns()), &lines)?;
        batch(None, &format!("netns del {}\n", self.netns(host)))
    }

    /// Silences a host within microseconds, as when its power fails. The host sees no change, so
    /// nothing in it can react before it is killed.
    pub fn silence(&self, host: Host) -> io::Result<()> {
        let ports = self.ports.lock().expect("no panic while held");
        for (_, &index) in ports.iter().filter(|(p, _)| p.0 == host) {
            match self.switch().set_forwarding(index, false) {
                // A pulled cable is silent already.
                Err(e) if e.kind() == io::ErrorKind::NetworkDown => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Pulls a cable: the host loses its carrier.
    pub fn pull(&self, port: Port) -> io::Result<()> {
        self.switch().set_link(self.index(port), false)
    }

    /// Plugs a pulled cable in again.
    pub fn plug(&self, port: Port) -> io::Result<()> {
        self.switch().set_link(self.index(port), true)
    }

    /// Loses traffic of a port silently, until [`Net::mend`].
    pub fn cut(&self, port: Port, cut: Cut) -> io::Result<()> {
        let sent = format!("iifname \"{port}\"");
        let received = format!("oifname \"{port}\"");
        let heartbeat = format!("udp dport {HEARTBEAT_PORT}");
        let rules = match cut {
            Cut::Both => vec![sent, received],
            Cut::Sent => vec![sent],
            Cut::Received => vec![received],
            Cut::Heartbeats => {
                vec![
                    format!("{sent} {heartbeat}"),
                    format!("{received} {heartbeat}"),
                ]
            }
            Cut::HeartbeatsSent => vec![format!("{sent} {heartbeat}")],
            Cut::Percent(n) => {
                let chance = format!("numgen random mod 100 < {n}");
                vec![format!("{sent} {chance}"), format!("{received} {chance}")]
            }
        };
        let lines: String = rules
            .iter()
            .map(|r| format!("add rule bridge lab f {r} drop\n"))
            .collect();
        self.nft(&lines)
    }

    /// Cuts every path between the nodes, until [`Net::mend`]: both still reach everybody else.
    pub fn part(&self) -> io::Result<()> {
        let of = |host: Host| {
            let ports = self.ports.lock().expect("no panic while held");
            let names = ports.keys().filter(|port| port.0 == host);
            let names = names.map(|port| format!("\"{port}\""));
            format!("{{ {} }}", names.collect::<Vec<_>>().join(", "))
        };
        let (a, b) = (of(Host::A), of(Host::B));
        let rule = |from, to| format!("add rule bridge lab f iifname {from} oifname {to} drop\n");
        self.nft(&(rule(&a, &b) + &rule(&b, &a)))
    }

    /// What that host asks and says by ARP still reaches the other through a [`Net::part`].
    pub fn let_arp_pass(&self, from: Host) -> io::Result<()> {
        let (from, to) = (Port(from, Wire::Lan), Port(from.peer(), Wire::Lan));
        self.nft(&format!(
            "insert rule bridge lab f iifname \"{from}\" oifname \"{to}\" ether type arp accept"
        ))
    }

    /// Ends every silent cut, on all ports.
    pub fn mend(&self) -> io::Result<()> {
        self.nft("flush chain bridge lab f")
    }

    /// A BMC pulls its machine's plug while a scenario goes on.
    fn switch(&self) -> MutexGuard<'_, Rtnl> {
        self.switch.lock().expect("no panic while held")
    }

    fn segment(&self, wire: Wire) -> io::Result<&Segment> {
        let missing = || io::Error::other("this pair has no interlink");
        self.topology.segment(wire).ok_or_else(missing)
    }

    fn index(&self, port: Port) -> u32 {
        self.ports.lock().expect("no panic while held")[&port]
    }

    fn nft(&self, lines: &str) -> io::Result<()> {
        let mut command = Command::new("nft");
        sys::place(command.args(["-f", "-"]), &self.switch_netns(), &[])?;
        feed(command, lines)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // A namespace takes its ends of all cables with it.
        let hosts = [
            Host::A,
            Host::B,
            Host::Gateway,
            Host::Client,
            Host::Stranger,
            Host::BmcOfA,
            Host::BmcOfB,
        ];
        let names = hosts
            .map(|host| self.netns(host))
            .into_iter()
            .chain([self.switch_netns()]);
        let lines: String = names
            .filter(|name| sys::netns_path(name).exists())
            .map(|name| format!("netns del {name}\n"))
            .collect();
        let _ = batch(None, &lines);
    }
}

/// Runs `ip -batch`, in a namespace if one is named.
pub fn batch(netns: Option<&str>, lines: &str) -> io::Result<()> {
    let mut command = Command::new("ip");
    if let Some(netns) = netns {
        command.args(["-n", netns]);
    }
    command.args(["-batch", "-"]);
    feed(command, lines)
}

/// A hardware address as people write it.
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn feed(mut command: Command, input: &str) -> io::Result<()> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "{command:?} said {} to:\n{input}",
        complaint.trim()
    )))
}

/// No router advertisements and no waiting for duplicate address detection: addresses work at once.
fn quieten(netns: &str) -> io::Result<()> {
    within(netns, || {
        for scope in ["all", "default"] {
            for key in ["accept_dad", "accept_ra"] {
                // A kernel without IPv6 has nothing to quieten.
                let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/{key}"), "0");
            }
        }
        Ok(())
    })
}

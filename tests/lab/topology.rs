//! What a pair and its network are called: the lab's own pair, and the pairs of the cases that the
//! files in config/ are written for, with the addresses that stand there.

use crate::net::{Host, VIP, Wire};
use std::net::IpAddr;

/// Names and addresses of one pair and its network.
#[derive(Debug)]
pub struct Topology {
    /// Both nodes' host names.
    pub names: [&'static str; 2],
    /// The VIP that clients use.
    pub vip: &'static str,
    /// Where clients and the gateway are.
    pub lan: Segment,
    /// The cable between the nodes, if they have one.
    pub interlink: Option<Segment>,
    /// Where the nodes' BMCs are, if they have any.
    pub bmc: Option<Segment>,
}

/// One network.
#[derive(Debug)]
pub struct Segment {
    /// What a node calls its interface there.
    pub interface: &'static str,
    /// The first three numbers of every IPv4 address.
    pub network: &'static str,
    /// The prefix length.
    pub length: u8,
    /// The last number of both nodes' addresses; everybody else has [`Host::number`].
    pub nodes: [u8; 2],
    /// What every IPv6 address begins with, where there are any; the last number is the same.
    pub v6: Option<&'static str>,
}

/// The lab's own pair: `lb1` and `lb2`.
pub const USUAL: Topology = Topology {
    names: ["lb1", "lb2"],
    vip: VIP,
    lan: Segment {
        interface: "lan0",
        network: "10.77.0",
        length: 24,
        nodes: [11, 12],
        v6: Some("fd77::"),
    },
    interlink: Some(Segment {
        interface: "il0",
        network: "10.88.0",
        length: 30,
        nodes: [1, 2],
        v6: Some("fd88::"),
    }),
    bmc: Some(BMCS),
};

/// Where the BMCs are, of those that have any.
const BMCS: Segment = Segment {
    interface: "bmc0",
    network: "10.99.0",
    length: 24,
    nodes: [11, 12],
    v6: None,
};

/// Two nginx boxes: config/nginx.toml.
pub const NGINX: Topology = Topology {
    names: ["pm-test1", "pm-test2"],
    vip: "192.168.1.178",
    lan: Segment {
        interface: "eth0",
        network: "192.168.1",
        length: 24,
        nodes: [101, 102],
        v6: None,
    },
    interlink: Some(Segment {
        interface: "eth1",
        network: "172.16.1",
        length: 24,
        nodes: [101, 102],
        v6: None,
    }),
    bmc: None,
};

/// Two Apache servers without an interlink: config/apache-preferred.toml.
pub const APACHE: Topology = Topology {
    names: ["node1", "node2"],
    vip: "10.81.40.199",
    lan: Segment {
        interface: "eth0",
        network: "10.81.40",
        length: 24,
        nodes: [10, 20],
        v6: None,
    },
    interlink: None,
    bmc: None,
};

/// Two HAProxy boxes: config/haproxy.toml.
pub const HAPROXY: Topology = Topology {
    names: ["haproxy1", "haproxy2"],
    vip: "192.168.10.80",
    lan: Segment {
        interface: "eth0",
        network: "192.168.10",
        length: 24,
        nodes: [81, 82],
        v6: None,
    },
    interlink: Some(Segment {
        interface: "eth1",
        network: "10.1.1",
        length: 24,
        nodes: [1, 2],
        v6: None,
    }),
    bmc: None,
};

/// The two boxes of README.md.
pub const README: Topology = Topology {
    names: ["lb1", "lb2"],
    ..HAPROXY
};

/// Two virtual machines with BMCs, and a bond of two cards on the LAN: config/nginx.toml, but for the
/// interface.
pub const BONDED: Topology = Topology {
    lan: Segment {
        interface: "bond0",
        ..NGINX.lan
    },
    bmc: Some(BMCS),
    ..NGINX
};

impl Topology {
    /// A host's name.
    pub fn name(&self, host: Host) -> &'static str {
        match host {
            Host::A => self.names[0],
            Host::B => self.names[1],
            other => other.tag(),
        }
    }

    /// One of its networks.
    pub fn segment(&self, wire: Wire) -> Option<&Segment> {
        match wire {
            Wire::Lan | Wire::Second => Some(&self.lan),
            Wire::Interlink => self.interlink.as_ref(),
            Wire::Bmc => self.bmc.as_ref(),
        }
    }

    /// What a node is plugged into.
    pub fn wires(&self) -> &'static [Wire] {
        match self.interlink {
            Some(_) => &[Wire::Lan, Wire::Interlink],
            None => &[Wire::Lan],
        }
    }

    /// Whether an address is none of a node's own.
    pub fn is_vip(&self, address: IpAddr) -> bool {
        let local = match address {
            IpAddr::V4(v4) => v4.is_loopback(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
        };
        let others = [self.interlink.as_ref(), self.bmc.as_ref()];
        let segments = [Some(&self.lan)].into_iter().chain(others);
        let own = |segment: &Segment| segment.nodes.iter().any(|&n| segment.has(n, address));
        !local && !segments.flatten().any(own)
    }
}

impl Segment {
    /// A host's IPv4 address.
    pub fn address(&self, host: Host, wire: Wire) -> String {
        format!("{}.{}", self.network, self.number(host, wire))
    }

    /// All of a host's addresses, with prefix lengths.
    pub fn addresses(&self, host: Host, wire: Wire) -> Vec<String> {
        let v4 = format!("{}/{}", self.address(host, wire), self.length);
        let v6 = |prefix| format!("{prefix}{}/64", self.number(host, wire));
        [Some(v4), self.v6.map(v6)].into_iter().flatten().collect()
    }

    fn number(&self, host: Host, wire: Wire) -> u8 {
        match host {
            Host::A => self.nodes[0],
            Host::B => self.nodes[1],
            other => other.number(wire),
        }
    }

    fn has(&self, number: u8, address: IpAddr) -> bool {
        let shown = address.to_string();
        shown == format!("{}.{number}", self.network)
            || self.v6.is_some_and(|v6| shown == format!("{v6}{number}"))
    }
}

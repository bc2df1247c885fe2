//! ha.toml, as the core sees it: what the defaults make of a few names.

use ha_appliance::core::setup::{
    Failback, FencingSetup, GatewaySetup, GroupSetup, ResourceSetup, Setup,
};
use ha_appliance::id::{GatewayId, GroupId, ResourceId, VifId};
use ha_appliance::wire::heartbeat::{Side, hash};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The VIP interface, and the gateway there.
pub const LAN: VifId = VifId(1);
pub const GATEWAY: GatewayId = gateway(LAN, 1);

/// The n-th gateway of a VIP interface.
pub const fn gateway(vif: VifId, n: u8) -> GatewayId {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 255 - n));
    GatewayId { vif, address }
}

/// The hardware address of a node's VIP interface.
pub fn mac(side: Side) -> [u8; 6] {
    mac_of(side, LAN)
}

/// The same of any of them.
pub fn mac_of(side: Side, vif: VifId) -> [u8; 6] {
    let [a, b, ..] = vif.0.to_be_bytes();
    [2, a, b, 0, 0, 1 + side as u8]
}

/// A configuration as the defaults of ha.toml make it: one VIP per group, one gateway.
pub fn setup(me: Side, groups: &[(&str, Option<Side>, Failback)]) -> Setup {
    Setup {
        me,
        names: ["first".into(), "second".into()],
        cluster: hash("test"),
        nodes: hash("first\nsecond"),
        digest: 1,
        links: 1,
        interval: Duration::from_millis(100),
        misses: 5,
        start_wait: Duration::from_secs(10),
        wait_for_peer: false,
        gateway: GatewaySetup {
            require_all: false,
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            misses: 3,
            dampening: Duration::from_secs(5),
        },
        vifs: vec![LAN],
        groups: groups
            .iter()
            .map(|(name, prefer, failback)| GroupSetup {
                prefer: *prefer,
                failback: *failback,
                ..group(name)
            })
            .collect(),
        fencing: None,
    }
}

/// One VIP, preferred nowhere.
pub fn group(name: &str) -> GroupSetup {
    GroupSetup {
        id: GroupId::of(name),
        prefer: None,
        failback: Failback::Manual,
        resources: vec![vip()],
        vifs: vec![LAN],
    }
}

pub fn vip() -> ResourceSetup {
    ResourceSetup {
        id: ResourceId::of("vip"),
        definition: 0,
        exclusive: true,
        data: false,
        leased: true,
        lingers: false,
        start_timeout: Duration::from_secs(5),
        stop_timeout: Duration::from_secs(5),
        restarts: 0,
        window: Duration::ZERO,
        fail_expiry: Some(Duration::from_secs(3600)),
    }
}

/// A service as the defaults of ha.toml make it.
pub fn service() -> ResourceSetup {
    ResourceSetup {
        id: ResourceId::of("service"),
        leased: false,
        restarts: 1,
        window: Duration::from_secs(600),
        ..vip()
    }
}

/// One device a machine that switches it off, with the times that the defaults of ha.toml will have.
pub fn fencing() -> FencingSetup {
    FencingSetup {
        devices: 1,
        ids: [1, 2, 3, 4, 5, 6, 7, 8],
        patience: Duration::from_secs(2),
        delay: Duration::from_secs(8),
        settle: Duration::from_secs(1),
        off_time: Duration::from_secs(4),
        off_deadline: Duration::from_secs(60),
        grace: Duration::from_secs(60),
        lag: Duration::from_millis(500),
    }
}

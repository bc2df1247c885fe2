//! Every key that ha.toml may hold, by table, each with an example of its value.
//!
//! The reader takes its tables from here, so a key that is read but not listed cannot exist; a test
//! holds `config/ha.toml` against the same list.

/// A key, and its value as one would write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// An example of its value, in TOML.
    pub example: &'static str,
}

/// The keys of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The table as one would write its header.
    pub table: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// Every table and its keys.
pub const TABLES: [&Keys; 16] = [
    &TOP, &CLUSTER, &HEARTBEAT, &NODE, &GATEWAY, &GROUP, &FAILBACK, &VIP, &SERVICE, &CHECK, &MOUNT,
    &DRBD, &FENCE, &IPMI, &AGENT, &FENCING,
];

pub(super) const TOP: Keys = Keys {
    table: "the top level",
    keys: &[
        key("cluster", "[cluster]"),
        key("heartbeat", "[heartbeat]"),
        key("node", "[node.lb1]"),
        key("gateway", "[gateway]"),
        key("group", "[[group]]"),
        key("fence", "[[fence]]"),
        key("fencing", "[fencing]"),
    ],
};

pub(super) const CLUSTER: Keys = Keys {
    table: "[cluster]",
    keys: &[
        key("name", "\"edge-lb\""),
        key("key_file", "\"/etc/ha-appliance/key\""),
        key("key", "\"64 hex digits\""),
        key("start_wait", "\"10s\""),
        key("wait_for_peer", "true"),
        key("notify", "\"/usr/local/bin/ha-notify\""),
        key("notify_user", "\"ha-notify\""),
    ],
};

pub(super) const HEARTBEAT: Keys = Keys {
    table: "[heartbeat]",
    keys: &[
        key("port", "5405"),
        key("interval", "\"100ms\""),
        key("misses", "5"),
    ],
};

pub(super) const NODE: Keys = Keys {
    table: "[node.NAME]",
    keys: &[key("links", "[\"10.1.1.1\", \"192.168.10.81\"]")],
};

pub(super) const GATEWAY: Keys = Keys {
    table: "[gateway]",
    keys: &[
        key("addresses", "[\"192.168.10.1\"]"),
        key("require", "\"any\""),
        key("interval", "\"1s\""),
        key("timeout", "\"500ms\""),
        key("misses", "3"),
        key("dampening", "\"5s\""),
    ],
};

pub(super) const GROUP: Keys = Keys {
    table: "[[group]]",
    keys: &[
        key("name", "\"web\""),
        key("prefer", "\"lb1\""),
        key("failback", "\"manual\""),
        key("resource", "[[group.resource]]"),
    ],
};

pub(super) const FAILBACK: Keys = Keys {
    table: "failback",
    keys: &[key("after", "\"5m\"")],
};

/// What a resource may be, each with the key that it is told by. Not among [`TABLES`]: its keys stand in the
/// table of each kind again.
pub(super) const KINDS: Keys = Keys {
    table: "[[group.resource]]",
    keys: &[VIP.keys[0], SERVICE.keys[0], MOUNT.keys[0], DRBD.keys[0]],
};

pub(super) const VIP: Keys = Keys {
    table: "[[group.resource]] with `vip`",
    keys: &[
        key("vip", "\"192.168.10.80/24\""),
        key("interface", "\"eth0\""),
    ],
};

pub(super) const SERVICE: Keys = Keys {
    table: "[[group.resource]] with `service`",
    keys: &[
        key("service", "\"haproxy.service\""),
        key("mode", "\"one\""),
        key("check", "{ http = \"http://127.0.0.1:8404/health\" }"),
        key("restarts", "1"),
        key("window", "\"10m\""),
        key("fail_expiry", "\"1h\""),
        key("start_timeout", "\"60s\""),
        key("stop_timeout", "\"60s\""),
    ],
};

pub(super) const MOUNT: Keys = Keys {
    table: "[[group.resource]] with `mount`",
    keys: &[
        key("mount", "\"/mnt/data\""),
        key("device", "\"/dev/disk/by-id/wwn-0x5000c500a1b2c3d4\""),
        key("fstype", "\"ext4\""),
        key("options", "\"noatime\""),
        key("start_timeout", "\"60s\""),
        key("stop_timeout", "\"60s\""),
    ],
};

pub(super) const DRBD: Keys = Keys {
    table: "[[group.resource]] with `drbd`",
    keys: &[key("drbd", "\"r0\"")],
};

pub(super) const CHECK: Keys = Keys {
    table: "check",
    keys: &[
        key("http", "\"http://127.0.0.1:8404/health\""),
        key("tcp", "\"127.0.0.1:8080\""),
        key("exec", "[\"/usr/local/bin/is-well\", \"web\"]"),
        key("user", "\"nginx\""),
        key("status", "200"),
        key("body", "\"OK\""),
        key("interval", "\"2s\""),
        key("timeout", "\"1s\""),
        key("failures", "2"),
    ],
};

pub(super) const FENCE: Keys = Keys {
    table: "[[fence]]",
    keys: &[
        key("node", "\"lb1\""),
        key(
            "ipmi",
            "{ address = \"10.1.1.201\", user = \"ha\", password_file = \"/etc/ha-appliance/bmc.pw\" }",
        ),
        key(
            "agent",
            "{ name = \"fence_redfish\", options = { ip = \"10.1.1.202\" } }",
        ),
    ],
};

pub(super) const IPMI: Keys = Keys {
    table: "ipmi",
    keys: &[
        key("address", "\"10.1.1.201\""),
        key("user", "\"ha\""),
        key("password_file", "\"/etc/ha-appliance/bmc.pw\""),
        key("privilege", "\"operator\""),
        key("suite", "17"),
        key("kg_file", "\"/etc/ha-appliance/bmc.kg\""),
        key("port", "623"),
    ],
};

pub(super) const AGENT: Keys = Keys {
    table: "agent",
    keys: &[
        key("name", "\"fence_redfish\""),
        key("options", "{ ip = \"10.1.1.202\" }"),
    ],
};

pub(super) const FENCING: Keys = Keys {
    table: "[fencing]",
    keys: &[
        key("patience", "\"2s\""),
        key("delay", "\"9s\""),
        key("settle", "\"1s\""),
        key("off_deadline", "\"60s\""),
        key("after", "\"on\""),
        key("probe", "\"2m\""),
    ],
};

/// Tables of versions to come: refused by name, not as typing errors.
pub(super) const LATER_TABLES: [&str; 1] = ["witness"];

impl Keys {
    /// The table's key of that name.
    pub(super) fn find(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

const fn key(name: &'static str, example: &'static str) -> Key {
    Key { name, example }
}

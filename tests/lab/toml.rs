//! A scenario's ha.toml: the defaults of the lab, and what the scenario changes.

use crate::net::{GATEWAY, VIP};

/// What a scenario may vary; [`Settings::text`] writes the file.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Cluster name.
    pub cluster: String,
    /// Keys, one a line: the first signs, all verify.
    pub keys: Vec<String>,
    /// How long to wait for a peer not heard yet.
    pub start_wait: String,
    /// Wait for it for ever.
    pub wait_for_peer: bool,
    /// Heartbeat interval.
    pub interval: String,
    /// Heartbeats missed until the peer counts as silent.
    pub misses: u32,
    /// The first node's name.
    pub first: String,
    /// The second node's name.
    pub second: String,
    /// The first link's ends: the interlink.
    pub links: [String; 2],
    /// Gateways; empty means none.
    pub gateways: Vec<String>,
    /// Further lines about gateways.
    pub gateway_more: String,
    /// Preferred node.
    pub prefer: Option<String>,
    /// What happens when the preferred node returns.
    pub failback: String,
    /// Neither the VIPs' interface nor gateways are written: the networks tell.
    pub inferred: bool,
    /// The VIPs of the group, with prefix lengths.
    pub vips: Vec<String>,
    /// Lines added at the end.
    pub more: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            cluster: "lab".into(),
            keys: vec![KEY.into()],
            start_wait: "2s".into(),
            wait_for_peer: false,
            interval: "100ms".into(),
            misses: 5,
            first: "lb1".into(),
            second: "lb2".into(),
            links: ["10.88.0.1".into(), "10.88.0.2".into()],
            gateways: vec![GATEWAY.into()],
            gateway_more: String::new(),
            prefer: None,
            failback: "manual".into(),
            inferred: false,
            vips: vec![format!("{VIP}/24")],
            more: String::new(),
        }
    }
}

/// The group every scenario has.
pub const GROUP: &str = "web";

/// The usual key, and another one.
pub const KEY: &str = "5a1c0a7f4b3e9d28c6f1e05b7a9d3c4e8f2061b5d7c3a9e4f08b1d6c2a7e5f93";
/// Another key.
pub const OTHER_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

impl Settings {
    /// The file, with the key file at a given path.
    pub fn text(&self, key_file: &str) -> String {
        let mut text = format!(
            "[cluster]\nname = \"{}\"\nkey_file = \"{key_file}\"\nstart_wait = \"{}\"\n\
             wait_for_peer = {}\n\n[heartbeat]\ninterval = \"{}\"\nmisses = {}\n\n\
             [node.{}]\nlinks = [\"{}\"]\n[node.{}]\nlinks = [\"{}\"]\n\n\
             [gateway]\n{}{}\n\n[[group]]\nname = \"{GROUP}\"\nfailback = \"{}\"\n",
            self.cluster,
            self.start_wait,
            self.wait_for_peer,
            self.interval,
            self.misses,
            self.first,
            self.links[0],
            self.second,
            self.links[1],
            match self.inferred {
                true => String::new(),
                false => format!("addresses = {:?}\n", self.gateways),
            },
            self.gateway_more,
            self.failback,
        );
        if let Some(prefer) = &self.prefer {
            text += &format!("prefer = \"{prefer}\"\n");
        }
        for vip in &self.vips {
            text += &format!("\n[[group.resource]]\nvip = \"{vip}\"\n");
            if !self.inferred {
                text += "interface = \"lan0\"\n";
            }
        }
        text + &self.more
    }
}

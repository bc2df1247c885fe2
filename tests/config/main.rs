//! ha.toml from outside: what is right, what is wrong, and what is said about it.

mod drbd;
mod explained;
mod fences;
mod fits;
mod key_files;
mod machine;
mod meaning;
mod mistakes;
mod mounts;
mod services;

/// A good file, for the tests to change.
const BASE: &str = r#"[cluster]
name = "edge-lb"
key_file = "key"

[heartbeat]
interval = "100ms"
misses = 5

[node.lb1]
links = ["10.1.1.1", "192.168.10.81"]
[node.lb2]
links = ["10.1.1.2", "192.168.10.82"]

[gateway]
addresses = ["192.168.10.1"]

[[group]]
name = "web"
prefer = "lb1"

[[group.resource]]
vip = "192.168.10.80/24"
interface = "eth0"
"#;

//! What `check` prints for a good file.

use crate::BASE;
use crate::machine::{config, host};
use ha_appliance::agents::host::Host;
use ha_appliance::config::{explain, resolve};
use ha_appliance::wire::heartbeat::Side;

#[test]
fn a_good_file_is_explained() {
    assert_eq!(
        explained(BASE, &host()),
        r#"/etc/ha-appliance/ha.toml is good.

cluster     edge-lb (1 key)
this node   lb1
peer        lb2
start       waits 10s for a peer not yet heard
heartbeat   every 100ms to UDP port 5405; 5 missed are silence: 500ms
gateways    192.168.10.1; one must answer; pinged every 1s, lost after 3 misses of 500ms, good again after 5s

links
  1  10.1.1.1 to 10.1.1.2, eth1
  2  192.168.10.81 to 192.168.10.82, eth0

groups
  web: prefers lb1, returns by hand
    vip 192.168.10.80/24 on eth0, gateway 192.168.10.1

protection
  UNPROTECTED: best effort. A silent peer is taken over only while a gateway answers on every
  VIP interface and no VIP answers from the peer; a partition that hides more can run both.

worst case until the VIPs answer again
  power loss of the active node
    detection: interval 100ms x misses 5              500 ms
    one probe wait: interval                          100 ms
    token made durable (fsync, assumed)                20 ms
    address and announcement (assumed)                  5 ms
    sum                                               625 ms
  daemon hung on the active node
    VIP lifetime, ended by the kernel                3000 ms
    until the kernel looks at it                     1000 ms
    probes unanswered: interval x (misses + 1/4)      525 ms
    token made durable (fsync, assumed)                20 ms
    address and announcement (assumed)                  5 ms
    sum                                              4550 ms
    of which the VIP answers nobody                   550 ms
  LAN of the active node silently dead
    gateway lost: interval 1s x misses 3             3000 ms
    the last miss: timeout                            500 ms
    the peer asks its own gateway: timeout            500 ms
    token made durable here (fsync, assumed)           20 ms
    and on the peer                                    20 ms
    address and announcement (assumed)                  5 ms
    sum                                              4045 ms

warnings
  UNPROTECTED: neither fencing nor a witness; when the nodes lose sight of each other, two alone cannot be both safe and automatic, and takeover is best effort
"#
    );
}

#[test]
fn what_is_not_there_yet_is_said() {
    let text = BASE.replace("\"100ms\"", "\"1500ms\"");
    let text = text.replace(
        "interface = \"eth0\"",
        "interface = { lb1 = \"eth7\", lb2 = \"eth0\" }",
    );
    let text = text.replace("[\"192.168.10.1\"]", "[]");
    let text = text.replace("prefer = \"lb1\"", "");
    let text = text.replace(
        "key_file = \"key\"",
        "key_file = \"key\"\nwait_for_peer = true\nnotify = \"/usr/local/bin/ha-notify\"",
    );
    assert_eq!(
        explained(&text, &Host::default()),
        r#"/etc/ha-appliance/ha.toml is good.

cluster     edge-lb (1 key)
this node   lb1
peer        lb2
start       waits for ever for a peer not yet heard
notify      /usr/local/bin/ha-notify at every transition
heartbeat   every 1500ms to UDP port 5405; 5 missed are silence: 7500ms
gateways    none is pinged

links
  1  10.1.1.1 to 10.1.1.2, no interface yet
  2  192.168.10.81 to 192.168.10.82, no interface yet

groups
  web: starts on lb1 the first time, prefers neither
    vip 192.168.10.80/24 on eth7, which does not exist yet, no gateway

protection
  UNPROTECTED: best effort. A silent peer is taken over only while a gateway answers on every
  VIP interface and no VIP answers from the peer; a partition that hides more can run both.

worst case until the VIPs answer again
  never, after a power loss or with a hung daemon: without fencing, only an answer from a gateway
  tells a dead peer from a dead cable; and a silently dead LAN goes unnoticed

warnings
  UNPROTECTED: neither fencing nor a witness; when the nodes lose sight of each other, two alone cannot be both safe and automatic, and takeover is best effort
  link address 10.1.1.1 is on no interface yet; no heartbeat uses this link until it is
  link address 192.168.10.81 is on no interface yet; no heartbeat uses this link until it is
  interface eth7 does not exist yet; its VIPs wait for it
  no gateway is pinged (`addresses = []`): no takeover without fencing from a silent peer, and a node cut off from the LAN does not notice
"#
    );
}

#[test]
fn a_detection_time_beyond_the_lifetime_of_a_vip_is_counted() {
    let text = BASE.replace("\"100ms\"", "\"1500ms\"");
    let mut host = host();
    host.interfaces[1].addresses = vec!["172.16.0.1/16".parse().unwrap()];
    let explained = explained(&text, &host);
    let worst = explained
        .split("\n\n")
        .find(|part| part.starts_with("worst"));
    assert_eq!(
        worst.unwrap(),
        r#"worst case until the VIPs answer again
  power loss of the active node
    detection: interval 1500ms x misses 5            7500 ms
    one probe wait: interval                         1500 ms
    token made durable (fsync, assumed)                20 ms
    address and announcement (assumed)                  5 ms
    sum                                              9025 ms
  daemon hung on the active node
    VIP lifetime, ended by the kernel                3000 ms
    until the kernel looks at it                     1000 ms
    probes unanswered: interval x (misses + 1/4)     7875 ms
    token made durable (fsync, assumed)                20 ms
    address and announcement (assumed)                  5 ms
    sum                                             11900 ms
    of which the VIP answers nobody                  7900 ms
  LAN of the active node silently dead
    gateway lost: interval 1s x misses 3             3000 ms
    the last miss: timeout                            500 ms
    the peer asks its own gateway: timeout            500 ms
    token made durable here (fsync, assumed)           20 ms
    and on the peer                                    20 ms
    address and announcement (assumed)                  5 ms
    sum                                              4045 ms
  never for groups with a VIP on eth0: no gateway is known there"#
    );
}

fn explained(text: &str, host: &Host) -> String {
    let config = config(text);
    let (resolved, warnings) = resolve(&config, Side::First, host);
    explain(&config, Side::First, &resolved, &warnings)
}

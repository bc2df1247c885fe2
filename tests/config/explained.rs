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
  (both nodes announcing this interval and these misses; `ha-appliance status` shows what is in force)
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
  NONE for web: nobody takes it over from a silent peer by itself, for no gateway is pinged;
  the sums below that begin with a silent peer do not hold for it

worst case until the VIPs answer again
  never, after a power loss or with a hung daemon: without fencing, only an answer from a gateway
  tells a dead peer from a dead cable; and a silently dead LAN goes unnoticed

warnings
  UNPROTECTED: neither fencing nor a witness; when the nodes lose sight of each other, two alone cannot be both safe and automatic, and takeover is best effort
  link address 10.1.1.1 is on no interface; no heartbeat uses this link until it is
  link address 192.168.10.81 is on no interface; no heartbeat uses this link until it is
  interface eth7 does not exist; its VIPs wait for it
  no gateway is pinged (`addresses = []`): no takeover without fencing from a silent peer, and a node cut off from the LAN does not notice
"#
    );
}

#[test]
fn a_detection_time_beyond_the_lifetime_of_a_vip_is_counted() {
    let text = BASE.replace("\"100ms\"", "\"1500ms\"");
    let mut host = host();
    host.interfaces[1].addresses = vec!["172.16.0.1/16".parse().unwrap()];
    host.default_gateways.clear();
    let explained = explained(&text, &host);
    let worst = explained
        .split("\n\n")
        .find(|part| part.starts_with("worst"));
    assert_eq!(
        worst.unwrap(),
        r#"worst case until the VIPs answer again
  (both nodes announcing this interval and these misses; `ha-appliance status` shows what is in force)
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

#[test]
fn services_stand_in_the_files_order_with_what_they_add() {
    let text = format!(
        r#"{BASE}
[[group.resource]]
service = "haproxy"
check = {{ http = "http://127.0.0.1:8404/health", status = 200, body = "up" }}
restarts = 0
fail_expiry = "never"
[[group.resource]]
service = "stunnel"
restarts = 3
[[group]]
name = "shop"
[[group.resource]]
vip = "192.168.10.90/24"
[[group.resource]]
service = "nginx"
mode = "both"
check = {{ tcp = "127.0.0.1:80", interval = "500ms", timeout = "250ms", failures = 3 }}
[[group]]
name = "cache"
[[group.resource]]
service = "cache@a"
mode = "both"
check = {{ exec = ["/bin/is-well", "a"] }}
"#
    );
    let explained = explained(&text, &host());
    let part = |title: &str| {
        let mut parts = explained.split("\n\n");
        parts.find(|part| part.starts_with(title)).unwrap()
    };
    assert_eq!(
        part("groups"),
        r#"groups
  web: prefers lb1, returns by hand
    vip 192.168.10.80/24 on eth0, gateway 192.168.10.1
    service haproxy.service where the group runs, 1m to start, 1m to stop
      check http://127.0.0.1:8404/health: asked every 2s, failed after 2 misses of 1s; good is status 200 and "up" in the body
      the first failure moves the group; a failure counts until `clear`
    service stunnel.service where the group runs, 1m to start, 1m to stop
      no check: watched by its process alone
      3 restarts in place per 10m, then the group moves; a failure counts for 1h
  shop: starts on lb1 the first time, prefers neither
    vip 192.168.10.90/24 on eth0, gateway 192.168.10.1
    service nginx.service on both nodes, 1m to start, 1m to stop
      check 127.0.0.1:80 by TCP: asked every 500ms, failed after 3 misses of 250ms
      1 restart in place per 10m, then the group moves; a failure counts for 1h
  cache: starts on lb1 the first time, prefers neither
    service cache@a.service on both nodes, 1m to start, 1m to stop
      check /bin/is-well a: asked every 2s, failed after 2 misses of 1s
      1 restart in place per 10m, then the group moves; a failure counts for 1h"#
    );
    assert!(part("worst").ends_with("\n  never for cache: it has no VIP"));
    assert_eq!(
        part("services"),
        r#"services, on top of that: a start takes what it takes on this machine, and fails after start_timeout
  web: a move stops the services here before it starts them there
    haproxy.service
      its process dies: noticed at once                 0 ms
      it hangs: interval 2s x failures 2 + timeout   5000 ms
      a move waits for its stop: stop_timeout       60000 ms
    stunnel.service
      its process dies: noticed at once                 0 ms
      a move waits for its stop: stop_timeout       60000 ms
  shop: planned moves overlap: nothing stops before the peer serves
    nginx.service
      its process dies: noticed at once                 0 ms
      it hangs: interval 500ms x failures 3 + timeout   1750 ms
  cache: nothing moves: it has no VIP, and its services run on both nodes
    cache@a.service
      its process dies: noticed at once                 0 ms
      it hangs: interval 2s x failures 2 + timeout   5000 ms"#
    );
}

#[test]
fn without_any_vip_no_time_is_promised() {
    let text = BASE.replace(
        "vip = \"192.168.10.80/24\"\ninterface = \"eth0\"",
        "service = \"a\"",
    );
    let explained = explained(&text, &host());
    let mut parts = explained.split("\n\n");
    let worst = parts.find(|part| part.starts_with("worst"));
    assert_eq!(
        worst.unwrap(),
        "worst case until the VIPs answer again\n  \
         never: no group has a VIP, and without fencing nothing else tells a dead peer from a dead cable"
    );
}

fn explained(text: &str, host: &Host) -> String {
    let config = config(text);
    let (resolved, warnings) = resolve(&config, Side::First, host);
    explain(&config, Side::First, &resolved, &warnings)
}

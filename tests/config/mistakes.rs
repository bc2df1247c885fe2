//! Every mistake, with the whole text that an operator reads.

use crate::BASE;
use ha_appliance::config::{Config, Error, parse_with_key_file};
use std::path::Path;

const KEY_LINE: &str = "00112233445566778899aabbccddeeff";

/// A good file with one thing changed, and what is said about it.
struct Case {
    /// What of [`BASE`] is changed; empty: all of it.
    change: &'static str,
    to: &'static str,
    told: &'static str,
}

#[test]
fn syntax_is_told_in_the_same_look() {
    check(&[
        Case {
            change: r#"interval = "100ms"
misses = 5"#,
            to: "interval = 100ms",
            told: r#"ha.toml:6:12: string values must be quoted, expected literal string
  6 | interval = 100ms
    |            ^^^^^
    put texts and durations in quotes: `name = "web"`, `interval = "100ms"`"#,
        },
        Case {
            change: "misses = 5",
            to: r#"misses = 5
misses = 6"#,
            told: r#"ha.toml:8:1: duplicate key
  8 | misses = 6
    | ^^^^^^
    a key or table stands once: delete or rename one of the two"#,
        },
        Case {
            change: "[gateway]",
            to: "[gateway",
            told: r#"ha.toml:14:9: unclosed table, expected `]`
 14 | [gateway
    |         ^
    ha.toml is TOML: `key = value`, one a line, texts in quotes, `[table]` in brackets"#,
        },
        Case {
            change: r#"name = "web"
"#,
            to: r#"name = "web
"#,
            told: r#"ha.toml:18:12: invalid basic string, expected `"`
 18 | name = "web
    |            ^
    ha.toml is TOML: `key = value`, one a line, texts in quotes, `[table]` in brackets"#,
        },
        Case {
            change: r#"[[group]]
name = "web"
prefer = "lb1"

"#,
            to: "",
            told: r#"ha.toml:17:3: `group` must be a list of tables, not a table
 17 | [[group.resource]]
    |   ^^^^^
    write each group's header in two brackets: `[[group]]`"#,
        },
        Case {
            change: r#"[[group]]
"#,
            to: r#"[group]
"#,
            told: r#"ha.toml:17:1: `group` must be a list of tables, not a table
 17 | [group]
    | ^^^^^^^
    write each group's header in two brackets: `[[group]]`"#,
        },
        Case {
            change: "[node.lb2]",
            to: "[node.lb1]",
            told: r#"ha.toml:11:7: duplicate key
 11 | [node.lb1]
    |       ^^^
    a key or table stands once: delete or rename one of the two"#,
        },
    ]);
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    check(&[
        Case {
            change: r#"interval = "100ms""#,
            to: r#"intervall = "100ms""#,
            told: r#"ha.toml:6:1: unknown key `intervall` in [heartbeat]
  6 | intervall = "100ms"
    | ^^^^^^^^^
    did you mean `interval`?"#,
        },
        Case {
            change: "key_file =",
            to: "key-file =",
            told: r#"ha.toml:3:1: unknown key `key-file` in [cluster]
  3 | key-file = "key"
    | ^^^^^^^^
    did you mean `key_file`?"#,
        },
        Case {
            change: "misses = 5",
            to: r#"misses = 5
timeout = "500ms""#,
            told: r#"ha.toml:8:1: unknown key `timeout` in [heartbeat]
  8 | timeout = "500ms"
    | ^^^^^^^
    `timeout` belongs in [gateway] or in check"#,
        },
        Case {
            change: "misses = 5",
            to: r#"misses = 5
interval_ms = 100"#,
            told: r#"ha.toml:8:1: unknown key `interval_ms` in [heartbeat]
  8 | interval_ms = 100
    | ^^^^^^^^^^^
    did you mean `interval`?"#,
        },
        Case {
            change: r#"links = ["10.1.1.2""#,
            to: r#"Links = ["10.1.1.2""#,
            told: r#"ha.toml:12:1: unknown key `Links` in [node.lb2]
 12 | Links = ["10.1.1.2", "192.168.10.82"]
    | ^^^^^
    did you mean `links`?"#,
        },
        Case {
            change: "[gateway]",
            to: "[gatway]",
            told: r#"ha.toml:14:2: unknown key `gatway` in the top level
 14 | [gatway]
    |  ^^^^^^
    did you mean `gateway`?"#,
        },
        Case {
            change: "[gateway]",
            to: r#"[colours]
blue = 1
[gateway]"#,
            told: r#"ha.toml:14:2: unknown key `colours` in the top level
 14 | [colours]
    |  ^^^^^^^
    known here: `cluster`, `heartbeat`, `node`, `gateway`, `group`, `fence`, `fencing`"#,
        },
        Case {
            change: "addresses =",
            to: "address =",
            told: r#"ha.toml:15:1: unknown key `address` in [gateway]
 15 | address = ["192.168.10.1"]
    | ^^^^^^^
    did you mean `addresses`?"#,
        },
        Case {
            change: "prefer =",
            to: "preferred =",
            told: r#"ha.toml:19:1: unknown key `preferred` in [[group]]
 19 | preferred = "lb1"
    | ^^^^^^^^^
    did you mean `prefer`?"#,
        },
        Case {
            change: r#"interface = "eth0""#,
            to: r#"interfase = "eth0""#,
            told: r#"ha.toml:23:1: unknown key `interfase` in [[group.resource]] with `vip`
 23 | interfase = "eth0"
    | ^^^^^^^^^
    did you mean `interface`?"#,
        },
        Case {
            change: r#"interface = "eth0""#,
            to: r#"interface = "eth0"
check = "tcp""#,
            told: r#"ha.toml:24:1: unknown key `check` in [[group.resource]] with `vip`
 24 | check = "tcp"
    | ^^^^^
    `check` belongs in [[group.resource]] with `service`"#,
        },
        Case {
            change: r#"prefer = "lb1""#,
            to: r#"prefer = "lb1"
failback = { afer = "5m" }"#,
            told: r#"ha.toml:20:14: unknown key `afer` in failback
 20 | failback = { afer = "5m" }
    |              ^^^^
    did you mean `after`?"#,
        },
    ]);
}

#[test]
fn wrong_types_say_what_is_expected() {
    check(&[
        Case {
            change: r#"name = "edge-lb""#,
            to: "name = 7",
            told: r#"ha.toml:2:8: `name` must be a text in quotes, not a number
  2 | name = 7
    |        ^
    write `name = "edge-lb"`"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key_file = "key"
start_wait = 10"#,
            told: r#"ha.toml:4:14: `start_wait` must be a duration in quotes, not a number
  4 | start_wait = 10
    |              ^^
    write `start_wait = "10s"`"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key_file = "key"
wait_for_peer = "yes""#,
            told: r#"ha.toml:4:17: `wait_for_peer` must be true or false, without quotes, not a text
  4 | wait_for_peer = "yes"
    |                 ^^^^^
    write `wait_for_peer = true`"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key_file = "key"
notify = ["/bin/true"]"#,
            told: r#"ha.toml:4:10: `notify` must be a text in quotes, not a list
  4 | notify = ["/bin/true"]
    |          ^^^^^^^^^^^^^
    write `notify = "/usr/local/bin/ha-notify"`"#,
        },
        Case {
            change: r#"interval = "100ms""#,
            to: "interval = 100",
            told: r#"ha.toml:6:12: `interval` must be a duration in quotes, not a number
  6 | interval = 100
    |            ^^^
    write `interval = "100ms"`"#,
        },
        Case {
            change: r#"interval = "100ms""#,
            to: r#"port = "5405""#,
            told: r#"ha.toml:6:8: `port` must be a whole number, without quotes, not a text
  6 | port = "5405"
    |        ^^^^^^
    write `port = 5405`"#,
        },
        Case {
            change: "misses = 5",
            to: "misses = 5.5",
            told: r#"ha.toml:7:10: `misses` must be a whole number, without quotes, not a number with a fraction
  7 | misses = 5.5
    |          ^^^
    write `misses = 5`"#,
        },
        Case {
            change: r#"links = ["10.1.1.1", "192.168.10.81"]"#,
            to: r#"links = "10.1.1.1""#,
            told: r#"ha.toml:10:9: `links` must be a list of texts in quotes, not a text
 10 | links = "10.1.1.1"
    |         ^^^^^^^^^^
    write `links = ["10.1.1.1", "192.168.10.81"]`"#,
        },
        Case {
            change: r#"links = ["10.1.1.1", "192.168.10.81"]"#,
            to: r#"links = ["10.1.1.1", 2]"#,
            told: r#"ha.toml:10:22: `links` must be a list of texts in quotes, not a number
 10 | links = ["10.1.1.1", 2]
    |                      ^
    write `links = ["10.1.1.1", "192.168.10.81"]`"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: "addresses = true",
            told: r#"ha.toml:15:13: `addresses` must be a list of texts in quotes, not true or false
 15 | addresses = true
    |             ^^^^
    write `addresses = ["192.168.10.1"]`"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: "require = 1",
            told: r#"ha.toml:15:11: `require` must be a text in quotes, not a number
 15 | require = 1
    |           ^
    write `require = "any"`"#,
        },
        Case {
            change: r#"[cluster]
name = "edge-lb"
key_file = "key"

"#,
            to: r#"cluster = 1
"#,
            told: r#"ha.toml:1:11: `cluster` must be a table, not a number
  1 | cluster = 1
    |           ^
    write it once, as `[cluster]` on a line of its own"#,
        },
        Case {
            change: r#"[cluster]
name = "edge-lb"
key_file = "key"

"#,
            to: r#"cluster = { name = "a", key_file = "key" }
heartbeat = "fast"
"#,
            told: r#"ha.toml:3:2: duplicate key
  3 | [heartbeat]
    |  ^^^^^^^^^
    a key or table stands once: delete or rename one of the two"#,
        },
        Case {
            change: "",
            to: r#"node = ["lb1", "lb2"]
[cluster]
name = "c"
key_file = "key"
[[group]]
name = "web"

[[group.resource]]
vip = "192.168.10.80/24"
interface = "eth0"
"#,
            told: r#"ha.toml:1:8: `node` must be two tables, not a list
  1 | node = ["lb1", "lb2"]
    |        ^^^^^^^^^^^^^^
    add `[node.NAME]` with `links` for each of the two, NAME being its host name"#,
        },
        Case {
            change: r#"[node.lb2]
links = ["10.1.1.2", "192.168.10.82"]"#,
            to: r#"[node]
lb2 = "10.1.1.2""#,
            told: r#"ha.toml:12:7: `node.lb2` must be a table, not a text
 12 | lb2 = "10.1.1.2"
    |       ^^^^^^^^^^
    add `[node.NAME]` with `links` for each of the two, NAME being its host name"#,
        },
        Case {
            change: r#"[[group]]
name = "web"
prefer = "lb1"

[[group.resource]]
vip = "192.168.10.80/24"
interface = "eth0"
"#,
            to: r#"[group]
name = "web"
"#,
            told: r#"ha.toml:17:1: `group` must be a list of tables, not a table
 17 | [group]
    | ^^^^^^^
    write each group's header in two brackets: `[[group]]`"#,
        },
        Case {
            change: "",
            to: r#"group = [1]
[cluster]
name = "edge-lb"
key_file = "key"

[node.lb1]
links = ["10.1.1.1", "192.168.10.81"]
[node.lb2]
links = ["10.1.1.2", "192.168.10.82"]

"#,
            told: r#"ha.toml:1:10: a group must be a table, not a number
  1 | group = [1]
    |          ^
    add `[[group]]` with a `name`, and below it `[[group.resource]]` with a `vip` or a `service`"#,
        },
        Case {
            change: r#"prefer = "lb1""#,
            to: "prefer = 1",
            told: r#"ha.toml:19:10: `prefer` must be a text in quotes, not a number
 19 | prefer = 1
    |          ^
    write `prefer = "lb1"`"#,
        },
        Case {
            change: r#"prefer = "lb1""#,
            to: "failback = true",
            told: r#"ha.toml:19:12: `failback` must be a text or a table, not true or false
 19 | failback = true
    |            ^^^^
    write "manual", "auto" or { after = "5m" }"#,
        },
        Case {
            change: "[[group.resource]]",
            to: "[group.resource]",
            told: r#"ha.toml:21:1: `resource` must be a list of tables, not a table
 21 | [group.resource]
    | ^^^^^^^^^^^^^^^^
    write each one's header in two brackets: `[[group.resource]]`"#,
        },
        Case {
            change: r#"
[[group.resource]]
vip = "192.168.10.80/24"
interface = "eth0"
"#,
            to: r#"resource = ["192.168.10.80/24"]
"#,
            told: r#"ha.toml:20:13: a resource must be a table, not a text
 20 | resource = ["192.168.10.80/24"]
    |             ^^^^^^^^^^^^^^^^^^
    write it as `[[group.resource]]`"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = ["192.168.10.80/24"]"#,
            told: r#"ha.toml:22:7: `vip` must be a text in quotes, not a list
 22 | vip = ["192.168.10.80/24"]
    |       ^^^^^^^^^^^^^^^^^^^^
    write `vip = "192.168.10.80/24"`"#,
        },
        Case {
            change: r#"interface = "eth0""#,
            to: "interface = 0",
            told: r#"ha.toml:23:13: `interface` must be a text or a table, not a number
 23 | interface = 0
    |             ^
    write `interface = "eth0"`"#,
        },
        Case {
            change: r#"interface = "eth0""#,
            to: r#"interface = { lb1 = "eth0", lb2 = 3 }"#,
            told: r#"ha.toml:23:35: an interface must be a text, not a number
 23 | interface = { lb1 = "eth0", lb2 = 3 }
    |                                   ^
    write its name in quotes: "eth0""#,
        },
    ]);
}

#[test]
fn missing_parts_are_named() {
    check(&[
        Case {
            change: "",
            to: "",
            told: r#"ha.toml:1:1: there is no [cluster]
  1 | 
    | ^
    add `[cluster]` with `name` and `key_file`
ha.toml:1:1: there are no nodes
  1 | 
    | ^
    add `[node.NAME]` with `links` for each of the two, NAME being its host name
ha.toml:1:1: there are no groups
  1 | 
    | ^
    add `[[group]]` with a `name`, and below it `[[group.resource]]` with a `vip` or a `service`"#,
        },
        Case {
            change: r#"name = "edge-lb"
"#,
            to: "",
            told: r#"ha.toml:1:1: [cluster] has no `name`
  1 | [cluster]
    | ^^^^^^^^^
    add `name = "edge-lb"`"#,
        },
        Case {
            change: r#"key_file = "key"
"#,
            to: "",
            told: r#"ha.toml:1:1: [cluster] has neither `key_file` nor `key`
  1 | [cluster]
    | ^^^^^^^^^
    add `key_file = "/etc/ha-appliance/key"`; `ha-appliance keygen` makes its content"#,
        },
        Case {
            change: r#"links = ["10.1.1.2", "192.168.10.82"]
"#,
            to: "",
            told: r#"ha.toml:11:1: [node.lb2] has no `links`
 11 | [node.lb2]
    | ^^^^^^^^^^
    add `links = ["10.1.1.1", "192.168.10.81"]`"#,
        },
        Case {
            change: r#"links = ["10.1.1.1", "192.168.10.81"]"#,
            to: "links = []",
            told: r#"ha.toml:10:9: node lb1 has no links
 10 | links = []
    |         ^^
    name at least one address of it; two, on separate networks, survive a cable"#,
        },
        Case {
            change: r#"[[group]]
name = "web"
prefer = "lb1"

[[group.resource]]
vip = "192.168.10.80/24"
interface = "eth0"
"#,
            to: "",
            told: r#"ha.toml:17:1: there are no groups
 17 | 
    | ^
    add `[[group]]` with a `name`, and below it `[[group.resource]]` with a `vip` or a `service`"#,
        },
        Case {
            change: "",
            to: r#"group = []
[cluster]
name = "edge-lb"
key_file = "key"

[node.lb1]
links = ["10.1.1.1", "192.168.10.81"]
[node.lb2]
links = ["10.1.1.2", "192.168.10.82"]

"#,
            told: r#"ha.toml:1:9: there are no groups
  1 | group = []
    |         ^^
    add `[[group]]` with a `name`, and below it `[[group.resource]]` with a `vip` or a `service`"#,
        },
        Case {
            change: r#"name = "web"
"#,
            to: "",
            told: r#"ha.toml:17:1: [[group]] has no `name`
 17 | [[group]]
    | ^^^^^^^^^
    add `name = "web"`"#,
        },
        Case {
            change: r#"
[[group.resource]]
vip = "192.168.10.80/24"
interface = "eth0"
"#,
            to: "",
            told: r#"ha.toml:17:1: group `web` has no resources
 17 | [[group]]
    | ^^^^^^^^^
    add `[[group.resource]]` with a `vip`, a `mount` or a `service` below it, or delete the group"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24"
"#,
            to: "",
            told: r#"ha.toml:21:1: a resource without its kind
 21 | [[group.resource]]
    | ^^^^^^^^^^^^^^^^^^
    add `vip = "192.168.10.80/24"` or `service = "haproxy.service"`"#,
        },
        Case {
            change: r#"prefer = "lb1""#,
            to: r#"prefer = "lb1"
failback = {}"#,
            told: r#"ha.toml:20:12: failback has no `after`
 20 | failback = {}
    |            ^^
    add `after = "5m"`"#,
        },
        Case {
            change: r#"prefer = "lb1""#,
            to: r#"failback = "auto""#,
            told: r#"ha.toml:19:1: `failback` without `prefer`: there is no node to return to
 19 | failback = "auto"
    | ^^^^^^^^
    add `prefer`, or delete `failback`"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vpi = "192.168.10.80/24""#,
            told: r#"ha.toml:22:1: unknown key `vpi` in [[group.resource]]
 22 | vpi = "192.168.10.80/24"
    | ^^^
    did you mean `vip`?"#,
        },
    ]);
}

#[test]
fn durations_and_numbers_have_limits() {
    check(&[
        Case {
            change: r#"interval = "100ms""#,
            to: r#"interval = "250us""#,
            told: r#"ha.toml:6:12: `interval`: `250us` is finer than a millisecond
  6 | interval = "250us"
    |            ^^^^^^^
    milliseconds are the finest unit: "10ms""#,
        },
        Case {
            change: r#"interval = "100ms""#,
            to: r#"interval = "100""#,
            told: r#"ha.toml:6:12: `interval`: `100` has no unit
  6 | interval = "100"
    |            ^^^^^
    write a whole number and its unit: "100ms", "5s", "10m" or "1h""#,
        },
        Case {
            change: r#"interval = "100ms""#,
            to: r#"interval = "0.1s""#,
            told: r#"ha.toml:6:12: `interval`: `0.1s` is not a whole number
  6 | interval = "0.1s"
    |            ^^^^^^
    write it in a smaller unit: "1500ms", not "1.5s""#,
        },
        Case {
            change: r#"interval = "100ms""#,
            to: r#"interval = "1 sec""#,
            told: r#"ha.toml:6:12: `interval`: ` sec` is not a unit of time
  6 | interval = "1 sec"
    |            ^^^^^^^
    the units are ms, s, m and h: "100ms", "5s", "10m", "1h""#,
        },
        Case {
            change: r#"interval = "100ms""#,
            to: r#"interval = "fast""#,
            told: r#"ha.toml:6:12: `interval`: `fast` is not a duration
  6 | interval = "fast"
    |            ^^^^^^
    write a whole number and its unit: "100ms", "5s", "10m" or "1h""#,
        },
        Case {
            change: r#"interval = "100ms""#,
            to: r#"interval = "99999999999999999999s""#,
            told: r#"ha.toml:6:12: `interval`: `99999999999999999999s` is too long to count
  6 | interval = "99999999999999999999s"
    |            ^^^^^^^^^^^^^^^^^^^^^^^
    write a whole number and its unit: "100ms", "5s", "10m" or "1h""#,
        },
        Case {
            change: r#"interval = "100ms""#,
            to: r#"interval = "5ms""#,
            told: r#"ha.toml:6:12: `interval` is 5ms, outside 10ms to 10s
  6 | interval = "5ms"
    |            ^^^^^
    choose between these: shorter drowns in the scheduler's own delays, longer detects nothing"#,
        },
        Case {
            change: "misses = 5",
            to: "misses = 2",
            told: r#"ha.toml:7:10: `misses` is 2, outside 3 to 1000
  7 | misses = 2
    |          ^
    write 3 or more: with fewer, one lost datagram beside one late one looks like death"#,
        },
        Case {
            change: "misses = 5",
            to: "misses = -1",
            told: r#"ha.toml:7:10: `misses` is -1, outside 3 to 1000
  7 | misses = -1
    |          ^^
    write 3 or more: with fewer, one lost datagram beside one late one looks like death"#,
        },
        Case {
            change: "misses = 5",
            to: "port = 0",
            told: r#"ha.toml:7:8: `port` is 0, outside 1 to 65535
  7 | port = 0
    |        ^
    write a UDP port; the default is 5405"#,
        },
        Case {
            change: "misses = 5",
            to: "port = 0x1_0000",
            told: r#"ha.toml:7:8: `port` is 0x10000, outside 1 to 65535
  7 | port = 0x1_0000
    |        ^^^^^^^^
    write a UDP port; the default is 5405"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key_file = "key"
start_wait = "2h""#,
            told: r#"ha.toml:4:14: `start_wait` is 2h, outside 1ms to 1h
  4 | start_wait = "2h"
    |              ^^^^
    write what a booting peer needs; `wait_for_peer = true` waits for ever"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: r#"interval = "5m""#,
            told: r#"ha.toml:15:12: `interval` is 5m, outside 10ms to 1m
 15 | interval = "5m"
    |            ^^^^
    choose between these: more pings are a load on the router, fewer are no watch"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: r#"timeout = "0s""#,
            told: r#"ha.toml:15:11: `timeout` is 0s, outside 1ms to 1m
 15 | timeout = "0s"
    |           ^^^^
    choose between these: a router on the LAN answers in a millisecond, a busy one in some hundred"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: "misses = 0",
            told: r#"ha.toml:15:10: `misses` is 0, outside 1 to 100
 15 | misses = 0
    |          ^
    choose between these: 3 tells a lost ping from a lost gateway"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: r#"dampening = "2h""#,
            told: r#"ha.toml:15:13: `dampening` is 2h, outside 0s to 1h
 15 | dampening = "2h"
    |             ^^^^
    choose between these: much longer, and a gateway that is back counts as lost all day"#,
        },
        Case {
            change: r#"prefer = "lb1""#,
            to: r#"prefer = "lb1"
failback = { after = "0s" }"#,
            told: r#"ha.toml:20:22: `after` is 0s, outside 1s to 24h
 20 | failback = { after = "0s" }
    |                      ^^^^
    write `failback = "auto"` to return at once, "manual" to stay"#,
        },
    ]);
}

#[test]
fn what_must_outlast_another_does() {
    check(&[
        Case {
            change: r#"interval = "100ms"
misses = 5"#,
            to: r#"interval = "2s"
misses = 6"#,
            told: r#"ha.toml:6:12: the detection time of 12s (interval 2s x misses 6) is longer than 10s
  6 | interval = "2s"
    |            ^^^^
    lower `interval` or `misses`: nobody would serve for that long"#,
        },
        Case {
            change: r#"interval = "100ms"
misses = 5"#,
            to: "misses = 200",
            told: r#"ha.toml:6:10: the detection time of 20s (interval 100ms x misses 200) is longer than 10s
  6 | misses = 200
    |          ^^^
    lower `interval` or `misses`: nobody would serve for that long"#,
        },
        Case {
            change: r#"interval = "100ms"
misses = 5"#,
            to: r#"interval = "2s""#,
            told: r#"ha.toml:6:12: `start_wait` of 10s does not outlast the detection time of 10s (interval 2s x misses 5)
  6 | interval = "2s"
    |            ^^^^
    raise `start_wait` above the detection time: a peer not yet heard must not look dead"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key_file = "key"
start_wait = "500ms""#,
            told: r#"ha.toml:4:14: `start_wait` of 500ms does not outlast the detection time of 500ms (interval 100ms x misses 5)
  4 | start_wait = "500ms"
    |              ^^^^^^^
    raise `start_wait` above the detection time: a peer not yet heard must not look dead"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: r#"interval = "1s"
timeout = "2s""#,
            told: r#"ha.toml:16:11: the gateway's `timeout` of 2s outlasts its `interval` of 1s
 16 | timeout = "2s"
    |           ^^^^
    lower `timeout` or raise `interval`: one answer is judged before the next is asked"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: r#"interval = "100ms""#,
            told: r#"ha.toml:15:12: the gateway's `timeout` of 500ms outlasts its `interval` of 100ms
 15 | interval = "100ms"
    |            ^^^^^^^
    lower `timeout` or raise `interval`: one answer is judged before the next is asked"#,
        },
    ]);
}

#[test]
fn words_are_checked() {
    check(&[
        Case {
            change: r#"name = "edge-lb""#,
            to: r#"name = "edge lb""#,
            told: r#"ha.toml:2:8: `edge lb` cannot be the name of a cluster
  2 | name = "edge lb"
    |        ^^^^^^^^^
    use 1 to 64 letters, digits, `.`, `_` and `-`, not first a `-`"#,
        },
        Case {
            change: r#"name = "web""#,
            to: r#"name = """#,
            told: r#"ha.toml:18:8: `""` cannot be the name of a group
 18 | name = ""
    |        ^^
    use 1 to 64 letters, digits, `.`, `_` and `-`, not first a `-`"#,
        },
        Case {
            change: "[node.lb2]",
            to: r#"[node."lb 2"]"#,
            told: r#"ha.toml:11:7: `lb 2` cannot be the name of a node
 11 | [node."lb 2"]
    |       ^^^^^^
    use 1 to 64 letters, digits, `.`, `_` and `-`, not first a `-`"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key_file = "key"
notify = "ha-notify""#,
            told: r#"ha.toml:4:10: `ha-notify` is not an absolute path
  4 | notify = "ha-notify"
    |          ^^^^^^^^^^^
    write it from the root: "/usr/local/bin/ha-notify"; it is run without a shell"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key_file = "key"
notify = "/bin/true"
notify_user = "1000""#,
            told: r#"ha.toml:5:15: `1000` is no user's name
  5 | notify_user = "1000"
    |               ^^^^^^
    write it as /etc/passwd has it: "nginx""#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key_file = "key"
notify_user = "ha-notify""#,
            told: r#"ha.toml:4:1: `notify_user` without `notify`
  4 | notify_user = "ha-notify"
    | ^^^^^^^^^^^
    delete it, or name the program that it is to run"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: r#"require = "most""#,
            told: r#"ha.toml:15:11: `require` is `most`
 15 | require = "most"
    |           ^^^^^^
    write "any" (one answer is enough) or "all""#,
        },
        Case {
            change: r#"prefer = "lb1""#,
            to: r#"failback = "never""#,
            told: r#"ha.toml:19:12: `failback` is `never`
 19 | failback = "never"
    |            ^^^^^^^
    write "manual", "auto" or { after = "5m" }"#,
        },
        Case {
            change: r#"interface = "eth0""#,
            to: r#"interface = "lo""#,
            told: r#"ha.toml:23:13: `lo` has no neighbours that a takeover could be announced to
 23 | interface = "lo"
    |             ^^^^
    name the interface that clients reach"#,
        },
        Case {
            change: r#"interface = "eth0""#,
            to: r#"interface = "eth0/1""#,
            told: r#"ha.toml:23:13: `eth0/1` cannot be the name of an interface
 23 | interface = "eth0/1"
    |             ^^^^^^^^
    `ip link` shows their names: "eth0""#,
        },
        Case {
            change: r#"interface = "eth0""#,
            to: r#"interface = { lb1 = "a-name-of-16-char", lb2 = "eth0" }"#,
            told: r#"ha.toml:23:21: `a-name-of-16-char` cannot be the name of an interface
 23 | interface = { lb1 = "a-name-of-16-char", lb2 = "eth0" }
    |                     ^^^^^^^^^^^^^^^^^^^
    `ip link` shows their names: "eth0""#,
        },
    ]);
}

#[test]
fn there_are_two_nodes_with_matching_links() {
    check(&[
        Case {
            change: r#"[node.lb2]
links = ["10.1.1.2", "192.168.10.82"]
"#,
            to: "",
            told: r#"ha.toml:9:7: one node only: lb1
  9 | [node.lb1]
    |       ^^^
    name exactly two: this is a pair"#,
        },
        Case {
            change: "[gateway]",
            to: r#"[node.lb3]
links = ["10.1.1.3", "192.168.10.83"]
[gateway]"#,
            told: r#"ha.toml:14:7: 3 nodes: lb1, lb2, lb3
 14 | [node.lb3]
    |       ^^^
    name exactly two: this is a pair"#,
        },
        Case {
            change: r#"links = ["10.1.1.2", "192.168.10.82"]"#,
            to: r#"links = ["10.1.1.2"]"#,
            told: r#"ha.toml:11:7: the nodes differ in their number of links: lb1 has 2, lb2 has 1
 11 | [node.lb2]
    |       ^^^
    the i-th link of one talks to the i-th of the other: give both as many"#,
        },
        Case {
            change: r#"links = ["10.1.1.2", "192.168.10.82"]"#,
            to: r#"links = ["10.1.1.1", "192.168.10.82"]"#,
            told: r#"ha.toml:12:10: 10.1.1.1 is a link already (line 10:10)
 12 | links = ["10.1.1.1", "192.168.10.82"]
    |          ^^^^^^^^^^
    each address is one node's alone, and each link a path of its own"#,
        },
        Case {
            change: r#"links = ["10.1.1.2", "192.168.10.82"]"#,
            to: r#"links = ["10.1.1.2", "10.1.1.2"]"#,
            told: r#"ha.toml:12:22: 10.1.1.2 is a link already (line 12:10)
 12 | links = ["10.1.1.2", "10.1.1.2"]
    |                      ^^^^^^^^^^
    each address is one node's alone, and each link a path of its own"#,
        },
        Case {
            change: r#"links = ["10.1.1.2", "192.168.10.82"]"#,
            to: r#"links = ["10.1.1.2", "fd00::2"]"#,
            told: r#"ha.toml:12:22: link 2 joins 192.168.10.81 of lb1 to fd00::2 of lb2: one is IPv4, the other IPv6
 12 | links = ["10.1.1.2", "fd00::2"]
    |                      ^^^^^^^^^
    the i-th link of one talks to the i-th of the other: write both in one order"#,
        },
        Case {
            change: r#"links = ["10.1.1.1", "192.168.10.81"]"#,
            to: r#"links = ["lb1.example.com"]"#,
            told: r#"ha.toml:10:10: `lb1.example.com` is not an IP address
 10 | links = ["lb1.example.com"]
    |          ^^^^^^^^^^^^^^^^^
    write it in numbers, as "10.1.1.1"; names are not looked up"#,
        },
        Case {
            change: r#"links = ["10.1.1.1", "192.168.10.81"]"#,
            to: r#"links = ["10.1.1.1/24", "192.168.10.81"]"#,
            told: r#"ha.toml:10:10: `10.1.1.1/24` has a prefix length
 10 | links = ["10.1.1.1/24", "192.168.10.81"]
    |          ^^^^^^^^^^^^^
    write the address alone: "10.1.1.1""#,
        },
        Case {
            change: r#"links = ["10.1.1.1", "192.168.10.81"]"#,
            to: r#"links = ["127.0.0.1", "192.168.10.81"]"#,
            told: r#"ha.toml:10:10: 127.0.0.1 is a loopback address, which no other host reaches
 10 | links = ["127.0.0.1", "192.168.10.81"]
    |          ^^^^^^^^^^^
    write a host's address"#,
        },
        Case {
            change: r#"links = ["10.1.1.1", "192.168.10.81"]"#,
            to: r#"links = ["224.0.0.18", "0.0.0.0"]"#,
            told: r#"ha.toml:10:10: 224.0.0.18 is a multicast address
 10 | links = ["224.0.0.18", "0.0.0.0"]
    |          ^^^^^^^^^^^^
    write a host's address
ha.toml:10:24: 0.0.0.0 is the unspecified address
 10 | links = ["224.0.0.18", "0.0.0.0"]
    |                        ^^^^^^^^^
    write a host's address"#,
        },
        Case {
            change: r#"links = ["10.1.1.1", "192.168.10.81"]"#,
            to: r#"links = ["fe80::1", "::ffff:10.1.1.1"]"#,
            told: r#"ha.toml:10:10: fe80::1 is link-local: it names no host without an interface
 10 | links = ["fe80::1", "::ffff:10.1.1.1"]
    |          ^^^^^^^^^
    give the link a unique local address, such as fd00:10::1
ha.toml:10:21: ::ffff:10.1.1.1 is an IPv4 address in IPv6 clothes
 10 | links = ["fe80::1", "::ffff:10.1.1.1"]
    |                     ^^^^^^^^^^^^^^^^^
    write a host's address"#,
        },
        Case {
            change: r#"links = ["10.1.1.1", "192.168.10.81"]"#,
            to: r#"links = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9"]"#,
            told: r#"ha.toml:10:9: 9 links: more than 8
 10 | links = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9"]
    |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    two or three separate paths are plenty
ha.toml:11:7: the nodes differ in their number of links: lb1 has 9, lb2 has 2
 11 | [node.lb2]
    |       ^^^
    the i-th link of one talks to the i-th of the other: give both as many"#,
        },
        Case {
            change: r#"prefer = "lb1""#,
            to: r#"prefer = "lb3""#,
            told: r#"ha.toml:19:10: `prefer` names `lb3`, which is no node
 19 | prefer = "lb3"
    |          ^^^^^
    did you mean `lb1`?"#,
        },
        Case {
            change: r#"prefer = "lb1""#,
            to: r#"prefer = "pm-test1""#,
            told: r#"ha.toml:19:10: `prefer` names `pm-test1`, which is no node
 19 | prefer = "pm-test1"
    |          ^^^^^^^^^^
    the nodes are lb1 and lb2"#,
        },
        Case {
            change: r#"interface = "eth0""#,
            to: r#"interface = { lb1 = "eth0", bl2 = "ens3" }"#,
            told: r#"ha.toml:23:29: `interface` names `bl2`, which is no node
 23 | interface = { lb1 = "eth0", bl2 = "ens3" }
    |                             ^^^
    did you mean `lb2`?"#,
        },
        Case {
            change: r#"interface = "eth0""#,
            to: r#"interface = { lb1 = "eth0" }"#,
            told: r#"ha.toml:23:13: `interface` says nothing of lb2
 23 | interface = { lb1 = "eth0" }
    |             ^^^^^^^^^^^^^^^^
    add `lb2 = "eth0"` to it: the nodes must agree which VIPs share one"#,
        },
    ]);
}

#[test]
fn addresses_are_used_once() {
    check(&[
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "192.168.10.80/24"
[[group.resource]]
vip = "192.168.10.80/25""#,
            told: r#"ha.toml:24:7: VIP 192.168.10.80 is in this group already (line 22:7)
 24 | vip = "192.168.10.80/25"
    |       ^^^^^^^^^^^^^^^^^^
    delete one of the two"#,
        },
        Case {
            change: r#"interface = "eth0"
"#,
            to: r#"interface = "eth0"
[[group]]
name = "mail"
[[group.resource]]
vip = "192.168.10.80/24"
"#,
            told: r#"ha.toml:27:7: VIP 192.168.10.80 is in group `web` already (line 22:7)
 27 | vip = "192.168.10.80/24"
    |       ^^^^^^^^^^^^^^^^^^
    two groups may run on two nodes, an address on one: delete one of the two"#,
        },
        Case {
            change: r#"interface = "eth0"
"#,
            to: r#"interface = "eth0"
[[group]]
name = "web"
[[group.resource]]
vip = "192.168.10.90/24"
"#,
            told: r#"ha.toml:25:8: a second group `web` (the first: line 18:8)
 25 | name = "web"
    |        ^^^^^
    rename one of them: the token of a group goes by its name"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "192.168.10.82/24""#,
            told: r#"ha.toml:22:7: VIP 192.168.10.82 is the own address of lb2 (a link, line 12:22)
 22 | vip = "192.168.10.82/24"
    |       ^^^^^^^^^^^^^^^^^^
    a VIP moves between the nodes: choose an address that neither has"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "192.168.10.1/24""#,
            told: r#"ha.toml:22:7: VIP 192.168.10.1 is the gateway's address
 22 | vip = "192.168.10.1/24"
    |       ^^^^^^^^^^^^^^^^^
    choose an address that nobody has, or correct `addresses` of [gateway]"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: r#"addresses = ["192.168.10.81"]"#,
            told: r#"ha.toml:15:14: 192.168.10.81 is a link of lb1 (line 10:22), not a gateway
 15 | addresses = ["192.168.10.81"]
    |              ^^^^^^^^^^^^^^^
    name something that answers when a node is dead: the router, or the switch"#,
        },
        Case {
            change: r#"addresses = ["192.168.10.1"]"#,
            to: r#"addresses = ["192.168.10.1", "192.168.10.1"]"#,
            told: r#"ha.toml:15:30: 192.168.10.1 is named twice
 15 | addresses = ["192.168.10.1", "192.168.10.1"]
    |                              ^^^^^^^^^^^^^^
    delete one of the two"#,
        },
    ]);
}

#[test]
fn a_vip_is_a_host_address_in_a_network() {
    check(&[
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "192.168.10.80""#,
            told: r#"ha.toml:22:7: `vip`: 192.168.10.80 has no prefix length
 22 | vip = "192.168.10.80"
    |       ^^^^^^^^^^^^^^^
    write that of its network: "192.168.10.80/24""#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "2001:db8::80""#,
            told: r#"ha.toml:22:7: `vip`: 2001:db8::80 has no prefix length
 22 | vip = "2001:db8::80"
    |       ^^^^^^^^^^^^^^
    write that of its network: "2001:db8::80/64""#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "192.168.10.80/33""#,
            told: r#"ha.toml:22:7: `vip`: prefix length 33 is outside 1 to 32, those of IPv4
 22 | vip = "192.168.10.80/33"
    |       ^^^^^^^^^^^^^^^^^^
    write that of the network on the interface, as `ip address` shows it"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "2001:db8::80/129""#,
            told: r#"ha.toml:22:7: `vip`: prefix length 129 is outside 1 to 128, those of IPv6
 22 | vip = "2001:db8::80/129"
    |       ^^^^^^^^^^^^^^^^^^
    write that of the network on the interface, as `ip address` shows it"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "192.168.10.80/0""#,
            told: r#"ha.toml:22:7: `vip`: prefix length 0 is outside 1 to 32, those of IPv4
 22 | vip = "192.168.10.80/0"
    |       ^^^^^^^^^^^^^^^^^
    write that of the network on the interface, as `ip address` shows it"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "192.168.10.80/255.255.255.0""#,
            told: r#"ha.toml:22:7: `vip`: `255.255.255.0` is not a prefix length
 22 | vip = "192.168.10.80/255.255.255.0"
    |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    write a number from 1 to 32: "192.168.10.80/24""#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "192.168.10.0/24""#,
            told: r#"ha.toml:22:7: `vip`: 192.168.10.0 is the network's own address in 192.168.10.0/24
 22 | vip = "192.168.10.0/24"
    |       ^^^^^^^^^^^^^^^^^
    choose a host address inside the network"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "192.168.10.255/24""#,
            told: r#"ha.toml:22:7: `vip`: 192.168.10.255 is the broadcast address of 192.168.10.0/24
 22 | vip = "192.168.10.255/24"
    |       ^^^^^^^^^^^^^^^^^^^
    choose a host address inside the network"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "2001:db8:10::/64""#,
            told: r#"ha.toml:22:7: `vip`: 2001:db8:10:: is the subnet-router anycast address in 2001:db8:10::/64
 22 | vip = "2001:db8:10::/64"
    |       ^^^^^^^^^^^^^^^^^^
    choose a host address inside the network"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "www.example.com/24""#,
            told: r#"ha.toml:22:7: `vip`: `www.example.com` is not an IP address
 22 | vip = "www.example.com/24"
    |       ^^^^^^^^^^^^^^^^^^^^
    write it in numbers, as "192.168.10.80"; names are not looked up"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "239.1.1.1/24""#,
            told: r#"ha.toml:22:7: `vip`: 239.1.1.1 is a multicast address
 22 | vip = "239.1.1.1/24"
    |       ^^^^^^^^^^^^^^
    write a host's address"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "255.255.255.255/32""#,
            told: r#"ha.toml:22:7: `vip`: 255.255.255.255 is the broadcast address
 22 | vip = "255.255.255.255/32"
    |       ^^^^^^^^^^^^^^^^^^^^
    write a host's address"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24"
interface = "eth0""#,
            to: r#"vip = "fe80::80/64""#,
            told: r#"ha.toml:22:7: `vip`: fe80::80 is link-local: every interface's network holds it
 22 | vip = "fe80::80/64"
    |       ^^^^^^^^^^^^^
    add `interface`"#,
        },
    ]);
}

#[test]
fn what_is_not_built_yet_is_refused_by_name() {
    check(&[Case {
        change: "[gateway]",
        to: r#"[witness]
address = "10.9.9.9"
[gateway]"#,
        told: r#"ha.toml:14:2: this version has no `witness` yet
 14 | [witness]
    |  ^^^^^^^
    delete it; `[[fence]]`, a device that switches a silent node off, makes the pair safe"#,
    }]);
}

#[test]
fn every_mistake_is_told_in_the_files_order() {
    check(&[
        Case {
            change: r#"interval = "100ms"
misses = 5"#,
            to: r#"intervall = "100ms"
misses = "5""#,
            told: r#"ha.toml:6:1: unknown key `intervall` in [heartbeat]
  6 | intervall = "100ms"
    | ^^^^^^^^^
    did you mean `interval`?
ha.toml:7:10: `misses` must be a whole number, without quotes, not a text
  7 | misses = "5"
    |          ^^^
    write `misses = 5`"#,
        },
        Case {
            change: r#"vip = "192.168.10.80/24""#,
            to: r#"vip = "192.168.10.0/24"
interfaces = "eth0""#,
            told: r#"ha.toml:22:7: `vip`: 192.168.10.0 is the network's own address in 192.168.10.0/24
 22 | vip = "192.168.10.0/24"
    |       ^^^^^^^^^^^^^^^^^
    choose a host address inside the network
ha.toml:23:1: unknown key `interfaces` in [[group.resource]] with `vip`
 23 | interfaces = "eth0"
    | ^^^^^^^^^^
    did you mean `interface`?"#,
        },
    ]);
}

#[test]
fn inline_keys_are_checked_and_never_shown() {
    check(&[
        Case {
            change: r#"name = "edge-lb""#,
            to: r#"name = """
00112233445566778899aabbccddeeff
"#,
            told: r#"ha.toml:26:1: invalid multi-line basic string, expected `"`
 26 | 
    | ^
    ha.toml is TOML: `key = value`, one a line, texts in quotes, `[table]` in brackets"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key_file = "key"
key = "00112233445566778899aabbccddeeff""#,
            told: r#"ha.toml:4:1: both `key` and `key_file` (line 3:1)
  4 | key = "********************************"
    | ^^^
    delete one of them; `key_file` is the safer, since ha.toml gets shown around"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key = "00112233445566778899aabbccddee""#,
            told: r#"ha.toml:3:7: `key`: a key of 15 bytes is shorter than 16
  3 | key = "******************************"
    |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    make one with `ha-appliance keygen`"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key = "00112233445566778899aabbccddeef""#,
            told: r#"ha.toml:3:7: `key`: a key of 31 hex digits: one is missing
  3 | key = "*******************************"
    |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    a key is hex digits, two a byte, as `ha-appliance keygen` prints it"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key = "00112233445566778899aabbccddeeffxy""#,
            told: r#"ha.toml:3:7: `key`: character 33 is not a hex digit
  3 | key = "**********************************"
    |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    a key is hex digits, two a byte, as `ha-appliance keygen` prints it"#,
        },
        Case {
            change: r#"key_file = "key""#,
            to: r#"key = "00112233445566778899aabbccddeeff"#,
            told: r#"ha.toml:3:40: invalid basic string, expected `"`
  3 | key = "********************************
    |                                        ^
    ha.toml is TOML: `key = value`, one a line, texts in quotes, `[table]` in brackets"#,
        },
    ]);
}

#[test]
fn an_empty_text_is_seen_wherever_it_stands() {
    let shipped = [
        include_str!("../../config/ha.toml"),
        include_str!("../../config/drbd.toml"),
        include_str!("../../config/active-active.toml"),
        BASE,
    ];
    let mut told = 0;
    for file in shipped {
        for (at, _) in file.match_indices('"') {
            // From each quote to the next one: the texts themselves, and what is between two of them, which is no TOML.
            let Some(end) = file[at + 1..].find('"') else {
                continue;
            };
            let emptied = format!("{}\"\"{}", &file[..at], &file[at + end + 2..]);
            if let Err(error) = parse(&emptied) {
                let error = error.to_string();
                assert!(!error.contains("``"), "{error}");
                told += 1;
            }
        }
    }
    assert!(told > 50, "{told}");
}

#[test]
fn more_groups_than_a_heartbeat_tells_of_are_refused() {
    let mut text = BASE.to_owned();
    for i in 1..21 {
        let resource = format!("[[group.resource]]\nvip = \"192.168.10.{}/24\"\n", 100 + i);
        text.push_str(&format!(
            "[[group]]\nname = \"g{i}\"\n{resource}interface = \"eth0\"\n"
        ));
    }
    let told = r#"ha.toml:119:1: 21 groups: more than 20
119 | [[group]]
    | ^^^^^^^^^
    put resources that may run together into one group; a group holds any number of VIPs"#;
    assert_eq!(parse(&text).unwrap_err().to_string(), told);
}

#[test]
fn more_interfaces_than_a_heartbeat_tells_of_are_refused() {
    let mut text = BASE.to_owned();
    for i in 1..9 {
        text.push_str(&format!(
            "[[group.resource]]\nvip = \"192.168.{}.80/24\"\n",
            10 + i
        ));
    }
    let told = r#"ha.toml:39:7: the VIPs need 9 interfaces: more than 8
 39 | vip = "192.168.18.80/24"
    |       ^^^^^^^^^^^^^^^^^^
    VIPs of one network share an interface, and so do those with the same `interface`: write it for single addresses"#;
    assert_eq!(parse(&text).unwrap_err().to_string(), told);
    // Single addresses that say where they live may be as many as one likes.
    let mut text = BASE.to_owned();
    for i in 1..255 {
        text.push_str(&format!(
            "[[group.resource]]\nvip = \"10.9.9.{i}/32\"\ninterface = \"eth0\"\n"
        ));
    }
    assert_eq!(parse(&text).unwrap().groups[0].resources.len(), 255);
}

#[test]
fn a_wide_line_number_keeps_the_caret_in_place() {
    let text = format!("{}{BASE}[colours]\n", "\n".repeat(1000));
    let told = r#"ha.toml:1024:2: unknown key `colours` in the top level
1024 | [colours]
     |  ^^^^^^^
    known here: `cluster`, `heartbeat`, `node`, `gateway`, `group`, `fence`, `fencing`"#;
    assert_eq!(parse(&text).unwrap_err().to_string(), told);
}

fn check(cases: &[Case]) {
    parse(BASE).expect("the file to change is good");
    let mut wrong = String::new();
    for Case { change, to, told } in cases {
        assert!(BASE.contains(change), "nothing to change: {change}");
        let text = match change.is_empty() {
            true => (*to).to_owned(),
            false => BASE.replacen(change, to, 1),
        };
        let found = match parse(&text) {
            Ok(_) => "no mistake".to_owned(),
            Err(error) => error.to_string(),
        };
        if found != *told {
            wrong.push_str(&format!("--- expected\n{told}\n--- found\n{found}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn parse(text: &str) -> Result<Config, Error> {
    parse_with_key_file(text, Path::new("ha.toml"), KEY_LINE)
}

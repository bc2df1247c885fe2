//! Every mistake in a service; [`crate::mistakes`] shows the whole look.

use crate::BASE;
use ha_appliance::config::{generate_key_line, parse_with_key_file};
use std::path::Path;

/// What stands before each case.
const NOTHING: &str = "";
const UNIT: &str = "service = ";
const KEY: &str = "service = \"a\"\n";
const CHECK: &str = "service = \"a\"\ncheck = ";

#[test]
fn a_unit_has_a_name_and_stands_once() {
    check(
        UNIT,
        r#"
7
    1:11 `service` must be a text in quotes, not a number | write `service = "haproxy.service"`
""
    1:11 `service`: `""` cannot be the name of a unit | write it as `systemctl list-units` shows it: "haproxy.service"
"nginx php"
    1:11 `service`: `nginx php` cannot be the name of a unit | write it as `systemctl list-units` shows it: "haproxy.service"
"/etc/systemd/system/nginx.service"
    1:11 `service`: `/etc/systemd/system/nginx.service` cannot be the name of a unit | write it as `systemctl list-units` shows it: "haproxy.service"
"nginx.socket"
    1:11 `service`: `nginx.socket` is a socket unit, and this is about services | write "nginx.service": a .socket, .timer or .path of the same name is stopped with it
"backup.timer"
    1:11 `service`: `backup.timer` is a timer unit, and this is about services | write "backup.service": a .socket, .timer or .path of the same name is stopped with it
"multi-user.target"
    1:11 `service`: `multi-user.target` is a target unit, and this is about services | name the services that it wants, each as a resource of its own
"srv.mount"
    1:11 `service`: `srv.mount` is a mount unit, and this is about services | write a resource of kind `mount`, with its `device` and `fstype`
"web.slice"
    1:11 `service`: `web.slice` is a slice unit, and this is about services | name a service: "haproxy.service"
"nginx.serivce"
    1:11 `service`: `nginx.serivce` does not end in .service | did you mean "nginx.service"?
"php-fpm@.service"
    1:11 `service`: `php-fpm@.service` is a template, which cannot run | name an instance of it: "php-fpm@main.service"
"php-fpm@"
    1:11 `service`: `php-fpm@` is a template, which cannot run | name an instance of it: "php-fpm@main.service"
"@a"
    1:11 `service`: `@a` cannot be the name of a unit | a unit's name has at most 255 characters, and does not begin with `@` or `-`
"-f"
    1:11 `service`: `-f` cannot be the name of a unit | a unit's name has at most 255 characters, and does not begin with `@` or `-`
".service"
    1:11 `service`: `.service` cannot be the name of a unit | a unit's name has at most 255 characters, and does not begin with `@` or `-`
"ha-appliance"
    1:11 `service`: `ha-appliance` is this daemon itself | name what it shall keep running: "haproxy.service"
"nginx"
[[group.resource]]
service = "nginx.service"
    3:11 nginx.service is in this group already (line 25:11) | delete one of the two
"nginx"
[[group]]
name = "b"
[[group.resource]]
service = "nginx"
    5:11 nginx.service is in group `web` already (line 25:11) | two groups may run on two nodes: give each a unit of its own, such as instances of a template
"#,
    );
}

#[test]
fn a_resource_is_of_one_kind() {
    check(
        NOTHING,
        r#"
mode = "one"
    0:1 a resource without its kind | add `vip = "192.168.10.80/24"` or `service = "haproxy.service"`
servce = "nginx"
mode = "one"
    1:1 unknown key `servce` in [[group.resource]] | did you mean `service`?
service = "nginx"
vip = "192.168.10.90/24"
    2:1 `vip` and `service` in one resource | write a `[[group.resource]]` for each, in the order in which they start: drbd, mount, VIP, service
service = "nginx"
interface = "eth0"
    2:1 unknown key `interface` in [[group.resource]] with `service` | `interface` belongs in [[group.resource]] with `vip`
vip = "192.168.10.90/24"
mode = "one"
    2:1 unknown key `mode` in [[group.resource]] with `vip` | `mode` belongs in [[group.resource]] with `service`
service = "nginx"
http = "http://127.0.0.1/"
    2:1 unknown key `http` in [[group.resource]] with `service` | `http` belongs in check
service = "nginx"
restart = 1
    2:1 unknown key `restart` in [[group.resource]] with `service` | did you mean `restarts`?
"#,
    );
}

#[test]
fn words_and_limits() {
    check(
        KEY,
        r#"
mode = "all"
    2:8 `mode` is `all` | write "one" (it runs where the group does) or "both" (it runs on both nodes, and is only watched)
restarts = 101
    2:12 `restarts` is 101, outside 0 to 100 | choose between these: 0 moves the group at the first failure
restarts = "1"
    2:12 `restarts` must be a whole number, without quotes, not a text | write `restarts = 1`
window = "0s"
    2:10 `window` is 0s, outside 1s to 24h | choose between these: restarts in place are counted over this time
window = "25h"
    2:10 `window` is 25h, outside 1s to 24h | choose between these: restarts in place are counted over this time
fail_expiry = "0s"
    2:15 `fail_expiry` is 0s, outside 1s to 672h | choose between these, or write "never": then a failure counts until `clear`
fail_expiry = "newer"
    2:15 `fail_expiry`: `newer` is not a duration | write a whole number and its unit: "100ms", "5s", "10m" or "1h"
fail_expiry = 3600
    2:15 `fail_expiry` must be a duration in quotes, not a number | write `fail_expiry = "1h"`
start_timeout = "0s"
    2:17 `start_timeout` is 0s, outside 100ms to 1h | choose between these: what the slowest start takes, and a little more
stop_timeout = "2h"
    2:16 `stop_timeout` is 2h, outside 100ms to 1h | choose between these: for so long a move waits before it kills
start_timeout = 60
    2:17 `start_timeout` must be a duration in quotes, not a number | write `start_timeout = "60s"`
"#,
    );
}

#[test]
fn a_check_asks_one_question() {
    check(
        CHECK,
        r#"
"http://127.0.0.1/"
    2:9 `check` must be a table in braces, not a text | write `check = { http = "http://127.0.0.1:8404/health" }`
{}
    2:9 a check that asks nothing | add `http = "http://127.0.0.1:8404/health"`, `tcp = "127.0.0.1:8080"` or `exec = ["/usr/local/bin/is-well"]`
{ interval = "1s" }
    2:9 a check that asks nothing | add `http = "http://127.0.0.1:8404/health"`, `tcp = "127.0.0.1:8080"` or `exec = ["/usr/local/bin/is-well"]`
{ htp = "http://127.0.0.1/" }
    2:11 unknown key `htp` in check | did you mean `http`?
{ tcp = "127.0.0.1:80", http = "http://127.0.0.1/" }
    2:33 `tcp` and `http` in one check | keep one of them; `exec` can run a program that asks both
{ tcp = "127.0.0.1:80", status = 200, body = "OK" }
    2:33 `status` without `http` | delete it: only the answer to an http check has one
    2:47 `body` without `http` | delete it: only the answer to an http check has one
{ http = "http://127.0.0.1/", status = 100 }
    2:48 `status` is 100, outside 200 to 599 | choose between these, or delete it: then every 2xx and 3xx is good
{ http = "http://127.0.0.1/", status = "200" }
    2:48 `status` must be a whole number, without quotes, not a text | write `status = 200`
{ http = "http://127.0.0.1/", body = "" }
    2:46 `body` is empty, which every answer contains | write a text that only a good answer has, or delete it
"#,
    );
}

#[test]
fn a_question_has_its_rhythm() {
    check(
        CHECK,
        r#"
{ tcp = "127.0.0.1:80", interval = "50ms" }
    2:44 `interval` is 50ms, outside 100ms to 1h | choose between these: more questions are a load on the service, fewer are no watch
{ tcp = "127.0.0.1:80", interval = "2h" }
    2:44 `interval` is 2h, outside 100ms to 1h | choose between these: more questions are a load on the service, fewer are no watch
{ tcp = "127.0.0.1:80", timeout = "0s" }
    2:43 `timeout` is 0s, outside 1ms to 1h | choose between these: what a busy service needs to answer, and a little more
{ tcp = "127.0.0.1:80", timeout = "3s" }
    2:43 the check's `timeout` of 3s outlasts its `interval` of 2s | lower `timeout` or raise `interval`: one answer is judged before the next is asked
{ tcp = "127.0.0.1:80", interval = "500ms" }
    2:44 the check's `timeout` of 1s outlasts its `interval` of 500ms | lower `timeout` or raise `interval`: one answer is judged before the next is asked
{ tcp = "127.0.0.1:80", interval = "x", timeout = "3s" }
    2:44 `interval`: `x` is not a duration | write a whole number and its unit: "100ms", "5s", "10m" or "1h"
{ tcp = "127.0.0.1:80", failures = 0 }
    2:44 `failures` is 0, outside 1 to 100 | choose between these: 1 moves or restarts at the first slow answer
"#,
    );
}

#[test]
fn an_address_is_asked_by_its_number() {
    check(
        CHECK,
        r#"
{ http = "https://127.0.0.1/" }
    2:18 `http`: https is not spoken here | let a program ask: `exec = ["/usr/bin/curl", "-fsS", "https://127.0.0.1/"]`
{ http = "127.0.0.1/health" }
    2:18 `http`: `127.0.0.1/health` does not begin with http:// | write "http://127.0.0.1:8404/health"
{ http = "http://www.example.com/" }
    2:18 `http`: `www.example.com` is not an IP address | write it in numbers, as "127.0.0.1"; names are not looked up
{ http = "http://127.0.0.1:0/" }
    2:18 `http`: `0` is not a port | ports are 1 to 65535
{ http = "http://127.0.0.1:http/" }
    2:18 `http`: `http` is not a port | ports are 1 to 65535
{ http = "http://::1/" }
    2:18 `http`: `::1` is an IPv6 address without brackets | write it in brackets, and its port behind them: "[::1]:8080"
{ http = "http://0.0.0.0/" }
    2:18 `http`: 0.0.0.0 is the unspecified address | write an address that this host can ask, such as 127.0.0.1
{ http = "http://[fe80::1]/" }
    2:18 `http`: fe80::1 is link-local: it names no host without an interface | write an address that this host can ask, such as ::1
{ http = "http://me:pw@127.0.0.1/" }
    2:18 `http`: a URL with a user | write "http://127.0.0.1/"; where a password is needed, let a program ask (`exec`)
{ http = "http://127.0.0.1/#top" }
    2:18 `http`: a URL with a fragment | delete the `#` and what follows: it is never sent to a server
{ http = "http://127.0.0.1/a b" }
    2:18 `http`: a URL holds neither spaces nor letters beyond ASCII | write a space as %20, other letters by their bytes in the same way
{ http = ["http://127.0.0.1/"] }
    2:18 `http` must be a text in quotes, not a list | write `http = "http://127.0.0.1:8404/health"`
{ tcp = "127.0.0.1" }
    2:17 `tcp`: `127.0.0.1` has no port | write "127.0.0.1:8080", or "[::1]:8080"
{ tcp = "::1" }
    2:17 `tcp`: `::1` is an IPv6 address without brackets | write it in brackets, and its port behind them: "[::1]:8080"
{ tcp = "web:80" }
    2:17 `tcp`: `web` is not an IP address | write it in numbers, as "127.0.0.1"; names are not looked up
{ tcp = 80 }
    2:17 `tcp` must be a text in quotes, not a number | write `tcp = "127.0.0.1:8080"`
"#,
    );
}

#[test]
fn a_program_is_run_without_a_shell() {
    check(
        CHECK,
        r#"
{ exec = [] }
    2:18 `exec` is empty | write a program and its arguments: ["/usr/local/bin/is-well", "web"]
{ exec = "" }
    2:18 `""` is not an absolute path | write it from the root: "/usr/bin/curl"; it is run without a shell
{ exec = "is-well" }
    2:18 `is-well` is not an absolute path | write it from the root: "/usr/bin/curl"; it is run without a shell
{ exec = "/usr/bin/curl -fs http://127.0.0.1/" }
    2:18 `/usr/bin/curl -fs http://127.0.0.1/` is no program: it has spaces | write a list, since no shell splits it: ["/usr/bin/curl", "-fs", "http://127.0.0.1/"]
{ exec = ["is-well", "web"] }
    2:19 `is-well` is not an absolute path | write it from the root: "/usr/bin/curl"; it is run without a shell
{ exec = ["/bin/true", 1] }
    2:32 `exec` must be a list of texts in quotes, not a number | write `exec = ["/usr/local/bin/is-well", "web"]`
{ exec = ["/bin/true", "a\u0000b"] }
    2:32 no argument of a program can hold a zero byte | delete the \u0000
{ exec = 1 }
    2:18 `exec` must be a list of texts in quotes, not a number | write `exec = ["/usr/local/bin/is-well", "web"]`
"#,
    );
}

/// Each case is some lines that end what stands below a `[[group.resource]]`, and below them, indented,
/// what is told: "line:column what | what to do", line 1 being the first below the header.
fn check(before: &str, cases: &str) {
    let mut found = String::new();
    let mut written = String::new();
    let mut lines = cases.trim_matches('\n').lines().peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with(' ') {
            written.push_str(line);
            written.push('\n');
        }
        if lines.peek().is_none_or(|next| !next.starts_with(' ')) && line.starts_with(' ') {
            found.push_str(&format!("{written}{}", told(&format!("{before}{written}"))));
            written.clear();
        }
    }
    assert_eq!(found.trim_end(), cases.trim(), "\n{found}");
}

fn told(resource: &str) -> String {
    let text = format!("{BASE}[[group.resource]]\n{resource}");
    let first = BASE.lines().count() as isize + 1;
    let parsed = parse_with_key_file(&text, Path::new("ha.toml"), &generate_key_line([7; 32]));
    let mistakes = parsed.err().map_or(Vec::new(), |error| error.mistakes);
    let mistakes = mistakes.iter().map(|mistake| {
        let place = mistake.place.as_ref().expect("a place");
        let line = place.line as isize - first;
        let (column, what, help) = (place.column, &mistake.what, &mistake.help);
        format!("    {line}:{column} {what} | {help}\n")
    });
    mistakes.collect()
}

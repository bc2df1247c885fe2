//! Trouble with the machine's own tools, and with programs that the appliance runs for others, from the
//! units that are installed; on case N's pair.

use super::nginx::{UNIT, serving};
use crate::ensure;
use crate::lab::Outcome;
use crate::net::NODES;
use crate::pair::Pair;
use crate::scenario::{Run::Machines, Scenario};
use crate::sys::{self, now};
use crate::topology::NGINX;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "systemctl-away",
        shows: "systemctl cannot be executed for a second in a failover: it goes on as soon as it can",
        run: Machines(&NGINX, systemctl_away),
        limit: (60, 60),
    },
    Scenario {
        name: "systemctl-away-killed",
        shows: "the same, and the daemon is killed meanwhile: nobody is blocked",
        run: Machines(&NGINX, systemctl_away_killed),
        limit: (90, 90),
    },
    Scenario {
        name: "systemctl-gone",
        shows: "systemctl stays away: after stop_timeout nginx is ended without it, and the move goes on",
        run: Machines(&NGINX, systemctl_gone),
        limit: (90, 90),
    },
    Scenario {
        name: "no-process-left",
        shows: "the daemon may start no process for 10 s: nginx is healthy and nothing moves; status says it",
        run: Machines(&NGINX, no_process_left),
        limit: (90, 90),
    },
    Scenario {
        name: "no-descriptor-left",
        shows: "the same with descriptors",
        run: Machines(&NGINX, no_descriptor_left),
        limit: (90, 90),
    },
    Scenario {
        name: "no-memory-left",
        shows: "the holder's daemon gets no further memory for 10 s: it goes on, or is restarted, or the other node serves, and never both; afterwards all is well",
        run: Machines(&NGINX, no_memory_left),
        limit: (90, 90),
    },
    Scenario {
        name: "programs-apart",
        shows: "a check and a hook run outside the daemon's unit, as whom they are to; a hook outlives a restart",
        run: Machines(&NGINX, programs_apart),
        limit: (90, 90),
    },
    Scenario {
        name: "hook-without-end",
        shows: "a hook and a check that print for ever cost the daemon next to nothing",
        run: Machines(&NGINX, hook_without_end),
        limit: (90, 90),
    },
    Scenario {
        name: "package-upgrade",
        shows: "nginx is stopped and started again 5 s later, twice: no failure, and nothing moves",
        run: Machines(&NGINX, package_upgrade),
        limit: (90, 90),
    },
    Scenario {
        name: "journal-hangs",
        shows: "journald reads nothing for 10 s while the daemon says much: no heartbeat waits for it",
        run: Machines(&NGINX, journal_hangs),
        limit: (90, 90),
    },
];

const SYSTEMCTL: &str = "chmod 644 /usr/bin/systemctl";
const BACK: &str = "chmod 755 /usr/bin/systemctl";
/// In config/nginx.toml.
const CHECK: &str = "http = \"http://127.0.0.1/test.html\", interval = \"5s\", timeout = \"2s\"";
const NAME: &str = "name = \"nginx\"";

fn systemctl_away(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    pair.on(holder, SYSTEMCTL)?;
    let from = now();
    let order = pair.on(
        holder,
        &format!("(sleep 1; {BACK}) & ha-appliance failover"),
    )?;
    pair.note(order);
    pair.moved(&browser, holder.peer(), from, Duration::from_secs(3))?;
    pair.runs_only_on(holder.peer(), UNIT)?;
    pair.status(holder, 0, "").map(drop)
}

fn systemctl_away_killed(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    let daemon = pair.node(holder).main_pid("ha-appliance")?;
    pair.on(holder, SYSTEMCTL)?;
    let from = now();
    let line = format!(
        "(sleep 3; {BACK}) & (sleep 0.5; kill -KILL {daemon}) & ha-appliance failover || true"
    );
    let order = pair.on(holder, &line)?;
    pair.note(order);
    std::thread::sleep(Duration::from_secs(3));
    pair.daemon_is_back(holder)?;
    let (_, who) = browser.answered(None, Duration::from_secs(10))?;
    pair.record
        .figure("HTTP outage", browser.outage(from).length());
    pair.runs_only_on(who, UNIT)?;
    for host in [holder, holder.peer()] {
        pair.status(host, 0, "")?;
    }
    Ok(())
}

fn systemctl_gone(pair: &mut Pair) -> Outcome {
    let service = "service = \"nginx.service\"";
    let impatient = format!("{service}\nstop_timeout = \"2s\"");
    let (holder, browser) = serving(pair, &[(service, &impatient)])?;
    pair.on(holder, SYSTEMCTL)?;
    let from = now();
    pair.on(holder, "ha-appliance failover")?;
    pair.moved(&browser, holder.peer(), from, Duration::from_secs(5))?;
    pair.on(holder, BACK)?;
    pair.runs_only_on(holder.peer(), UNIT)?;
    pair.status(holder, 0, "").map(drop)
}

/// An exec check as often as it may be, written by [`write_check`].
const EXEC: &str = "exec = \"/usr/local/bin/lab-check\", interval = \"500ms\", timeout = \"500ms\"";

fn write_program(pair: &mut Pair, path: &str, script: &str) -> Outcome {
    for host in NODES {
        pair.node(host)
            .write(path, format!("#!/bin/sh\n{script}\n"))?;
        let line = format!("chmod 755 {path}");
        pair.node(host).run(&line)?;
    }
    Ok(())
}

fn no_process_left(pair: &mut Pair) -> Outcome {
    write_program(pair, "/usr/local/bin/lab-check", "exit 0")?;
    let (holder, browser) = serving(pair, &[(CHECK, EXEC)])?;
    let from = now();
    let limit = pair.node(holder).limit_processes("ha-appliance.service")?;
    std::thread::sleep(Duration::from_secs(5));
    pair.status(holder, 1, "its check cannot be asked")?;
    // A failover that begins meanwhile is done when it can be.
    std::thread::sleep(Duration::from_secs(5));
    pair.nothing_moved(holder, from)?;
    drop(limit);
    std::thread::sleep(Duration::from_secs(2));
    pair.status(holder, 0, "")?;
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    let limit = pair.node(holder).limit_processes("ha-appliance.service")?;
    let from = now();
    let order = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        drop(limit);
    });
    let said = pair.on(holder, "ha-appliance failover")?;
    pair.note(said);
    order.join().expect("it only waits");
    pair.moved(&browser, holder.peer(), from, Duration::from_secs(4))?;
    pair.runs_only_on(holder.peer(), UNIT)
}

fn no_descriptor_left(pair: &mut Pair) -> Outcome {
    write_program(pair, "/usr/local/bin/lab-check", "exit 0")?;
    let (holder, browser) = serving(pair, &[(CHECK, EXEC)])?;
    let daemon = pair.node(holder).main_pid("ha-appliance")?;
    let from = now();
    // No number above those that are open is given out any more.
    let open = format!("ls /proc/{daemon}/fd | sort -n | tail -1");
    let open: u32 = pair.node(holder).run(&open)?.trim().parse()?;
    let limit = format!("prlimit --pid {daemon} --nofile={}:", open + 1);
    pair.on(holder, &limit)?;
    std::thread::sleep(Duration::from_secs(10));
    pair.nothing_moved(holder, from)?;
    let status = pair.node(holder).try_run("ha-appliance status")?;
    pair.note(String::from_utf8_lossy(&status.stdout).into_owned());
    pair.on(holder, &format!("prlimit --pid {daemon} --nofile=1024:"))?;
    std::thread::sleep(Duration::from_secs(2));
    pair.status(holder, 0, "")?;
    pair.nothing_moved(holder, from)?;
    ensure!(
        pair.node(holder).main_pid("ha-appliance")? == daemon,
        "it is another daemon"
    );
    Ok(browser.noticed_nothing(from)?)
}

fn no_memory_left(pair: &mut Pair) -> Outcome {
    write_program(pair, "/usr/local/bin/lab-check", "exit 0")?;
    let (holder, browser) = serving(pair, &[(CHECK, EXEC)])?;
    let daemon = pair.node(holder).main_pid("ha-appliance")?;
    let from = now();
    let limit = pair
        .node(holder)
        .limit_memory("ha-appliance.service", 4096)?;
    std::thread::sleep(Duration::from_secs(5));
    // Whatever needs memory, it does in vain.
    let _ = pair.node(holder).try_run("timeout 3 ha-appliance clear")?;
    std::thread::sleep(Duration::from_secs(5));
    drop(limit);
    let (_, server) = browser.answered(None, Duration::from_secs(5))?;
    let outage = browser.outage(from).length();
    pair.record.figure("HTTP outage", outage);
    let other = pair.node(holder).main_pid("ha-appliance")? != daemon;
    pair.note(format!("served by {server:?}, another daemon: {other}"));
    ensure!(outage < Duration::from_secs(8), "the outage was {outage:?}");
    pair.daemon_is_back(holder)?;
    pair.runs_only_on(server, UNIT)?;
    // What was learnt meanwhile is not held against anybody.
    pair.on(server, "ha-appliance failover")?;
    pair.moved(&browser, server.peer(), now(), Duration::from_secs(4))
}

fn programs_apart(pair: &mut Pair) -> Outcome {
    let look = "out=${1:-/tmp/lab-check.out}; exec >$out.$$; id -un; grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; \
        cat /proc/self/oom_score_adj; umask; ulimit -c; chrt -p 0 | sed 's/.*current//'; \
        echo 1:; cat /proc/self/cgroup; mv $out.$$ $out";
    write_program(pair, "/usr/local/bin/lab-check", look)?;
    let hook = "cat >/dev/null; echo $$ >>/run/lab-hooks; sleep 4; echo done >>/run/lab-hooks";
    write_program(pair, "/usr/local/bin/lab-hook", hook)?;
    let exec = EXEC.replace("interval", "user = \"www-data\", interval");
    let notify = format!("{NAME}\nnotify = \"/usr/local/bin/lab-hook\"");
    let (holder, _browser) = serving(pair, &[(CHECK, &exec), (NAME, &notify)])?;
    std::thread::sleep(Duration::from_secs(2));
    let seen = pair.on(holder, "cat /tmp/lab-check.out")?;
    ensure!(
        seen.contains("/ha-appliance-check-"),
        "a check below the daemon: {seen}"
    );
    // As whatever else systemd runs on this machine.
    pair.on(
        holder,
        "systemd-run --quiet --wait --uid=www-data /usr/local/bin/lab-check /tmp/lab-other.out",
    )?;
    let other = pair.on(holder, "cat /tmp/lab-other.out")?;
    let rights = |text: &str| text.split("1:").next().unwrap_or_default().to_owned();
    ensure!(
        rights(&seen) == rights(&other) && seen.starts_with("www-data\n"),
        "{seen} is not {other}"
    );
    // Each transition runs the hook; one that runs while the daemon ends goes on to its end.
    let count = |pair: &mut Pair, what: &str| -> Outcome<usize> {
        let line = format!("grep -c {what} /run/lab-hooks || true");
        Ok(pair.node(holder).run(&line)?.trim().parse()?)
    };
    pair.on(holder, "rm -f /run/lab-hooks; ha-appliance standby")?;
    let asked = now();
    while count(pair, "'^[0-9]'").unwrap_or(0) == 0 {
        ensure!(sys::since(asked) < Duration::from_secs(10), "no hook runs");
        std::thread::sleep(Duration::from_millis(50));
    }
    pair.on(holder, "systemctl kill --signal=KILL ha-appliance")?;
    std::thread::sleep(Duration::from_millis(4500));
    let (begun, done) = (count(pair, "'^[0-9]'")?, count(pair, "done")?);
    ensure!(done >= 1, "{begun} hooks were begun, and none ended");
    Ok(())
}

fn hook_without_end(pair: &mut Pair) -> Outcome {
    write_program(pair, "/usr/local/bin/lab-check", "exec yes")?;
    write_program(pair, "/usr/local/bin/lab-hook", "exec yes")?;
    let notify = format!("{NAME}\nnotify = \"/usr/local/bin/lab-hook\"");
    let (holder, _browser) = serving(pair, &[(NAME, &notify)])?;
    let daemon = pair.node(holder).main_pid("ha-appliance")?;
    let used = |pair: &mut Pair| -> Outcome<u64> {
        let stat = pair.node(holder).run(&format!("cat /proc/{daemon}/stat"))?;
        let words: Vec<&str> = stat
            .rsplit_once(") ")
            .ok_or("no stat")?
            .1
            .split(' ')
            .collect();
        Ok(words[11].parse::<u64>()? + words[12].parse::<u64>()?)
    };
    pair.on(
        holder,
        "ha-appliance maintenance on; ha-appliance maintenance off",
    )?;
    let running = pair.on(
        holder,
        "sleep 0.5; systemctl list-units --no-legend 'ha-appliance-notify-*' | wc -l",
    )?;
    ensure!(running.trim() == "1", "{running} hooks run, not one");
    let before = used(pair)?;
    std::thread::sleep(Duration::from_secs(5));
    let ticks = used(pair)? - before;
    pair.note(format!("{ticks} ticks of 10 ms in 5 s"));
    pair.record
        .figure("processor time of 5 s", Duration::from_millis(10 * ticks));
    ensure!(ticks < 50, "it took {ticks} ticks of 10 ms in 5 s");
    Ok(())
}

fn package_upgrade(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    for _ in 0..2 {
        let from = now();
        pair.on(
            holder,
            "systemctl stop nginx; sleep 5; systemctl start nginx",
        )?;
        browser.answered(Some(holder), Duration::from_secs(5))?;
        pair.record
            .figure("HTTP outage", browser.outage(from).length());
        pair.nothing_moved(holder, from)?;
    }
    pair.status(holder, 0, "")?;
    // Left stopped, it is started, which does not count either.
    let from = now();
    pair.on(holder, "systemctl stop nginx")?;
    pair.status(holder, 1, "stopped by somebody else")?;
    browser.answered(Some(holder), Duration::from_secs(15))?;
    pair.record
        .figure("left stopped", browser.outage(from).length());
    pair.nothing_moved(holder, from)?;
    pair.status(holder, 0, "").map(drop)
}

fn journal_hangs(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    for host in NODES {
        pair.node(host)
            .edit("ha-appliance.service", "Environment=RUST_LOG=trace")?;
    }
    pair.on_both("systemctl restart ha-appliance")?;
    pair.up()?;
    let holder_now = pair.settled(Duration::from_secs(10))?;
    pair.note(format!("{holder:?} first, {holder_now:?} now"));
    let from = now();
    pair.on_both("systemctl kill --signal=STOP systemd-journald")?;
    // Much to say.
    for _ in 0..10 {
        pair.on_both("ha-appliance status >/dev/null; systemctl kill --signal=HUP --kill-whom=main ha-appliance")?;
        std::thread::sleep(Duration::from_secs(1));
    }
    pair.nothing_moved(holder_now, from)?;
    pair.on_both("systemctl kill --signal=CONT systemd-journald")?;
    pair.nothing_moves(holder_now, Duration::from_secs(2))?;
    pair.both_alive()?;
    Ok(browser.noticed_nothing(from)?)
}

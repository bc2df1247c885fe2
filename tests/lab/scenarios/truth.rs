//! What an operator is told while one node knows little of the other.

use crate::ensure;
use crate::fake::FakePeer;
use crate::lab::{Lab, Outcome};
use crate::net::{Cut, GATEWAY, Host, Port, VIP, Wire, batch};
use crate::scenario::{Run::Nodes, Scenario};
use crate::sys::{self, now};
use crate::toml::{OTHER_KEY, Settings};
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "not-off-but-unheard",
        shows: "a restarted daemon whose heartbeats do not reach the serving peer: status says where the group probably is, suggests no `confirm-fenced`, which is refused",
        run: Nodes(not_off_but_unheard),
        limit: (60, 60),
    },
    Scenario {
        name: "what-is-told",
        shows: "a lost link and a command are told once each, in log and history, with who asked and what came of it",
        run: Nodes(what_is_told),
        limit: (60, 60),
    },
    Scenario {
        name: "told-on-both",
        shows: "what happened on one node stands in the other's history, its reasons in status and in the answer of a refused move, over a restart of either daemon",
        run: Nodes(told_on_both),
        limit: (60, 60),
    },
    Scenario {
        name: "two-of-one-name",
        shows: "a machine that was started as the other node says so, and the other that nobody listens there and why, or who speaks under its name",
        run: Nodes(two_of_one_name),
        limit: (60, 60),
    },
    Scenario {
        name: "a-move-that-would-lose",
        shows: "files that differ are told by group and key, and a move to a node whose file lacks a VIP is refused",
        run: Nodes(a_move_that_would_lose),
        limit: (60, 60),
    },
    Scenario {
        name: "looked-at-in-maintenance",
        shows: "a VIP that somebody deletes in maintenance is said at once, in status and history, and not put back",
        run: Nodes(looked_at_in_maintenance),
        limit: (60, 60),
    },
    Scenario {
        name: "doctor",
        shows: "`doctor` looks at both nodes from one: another file, a one-way firewall, another key and a dead daemon each have their line and cure",
        run: Nodes(doctor),
        limit: (90, 90),
    },
];

fn doctor(lab: &mut Lab) -> Outcome {
    let (holder, _client) = lab.pair(&Settings::default())?;
    let idle = holder.peer();
    let (here, there) = (holder.node_name(), idle.node_name());
    let page = finds(
        lab,
        idle,
        1,
        &[
            "both\n",
            "have a key in common",
            "both daemons have loaded the same",
            "both nodes have the same time",
            "heard in both directions",
            &format!("gateway {GATEWAY} on lan0 answers"),
            "nobody but this pair is heard to answer for its VIP",
        ],
    )?;
    ensure!(!page.contains("  error"), "a well pair has errors:\n{page}");
    for part in ["lb1\n  ", "lb2\n  "] {
        ensure!(page.contains(part), "{part:?} is not in\n{page}");
    }
    lab.note("another file");
    let other = Settings {
        prefer: Some(here.into()),
        ..Settings::default()
    };
    lab.node(holder).configure(&other)?;
    lab.node(holder).order(&["reload"])?;
    says(lab, idle, "prefer is on")?;
    let differs = format!("group web: prefer is on {here} only");
    finds(
        lab,
        idle,
        1,
        &[&differs, "then `ha-appliance reload` there"],
    )?;
    lab.node(holder).configure(&Settings::default())?;
    lab.node(holder).order(&["reload"])?;
    lab.note("a firewall that drops what the idle node sends");
    for wire in [Wire::Lan, Wire::Interlink] {
        lab.net.cut(Port(idle, wire), Cut::HeartbeatsSent)?;
    }
    says(lab, holder, "has been silent")?;
    finds(
        lab,
        holder,
        2,
        &[
            &format!("{there} cannot be asked: {there} is silent"),
            ": heard last ",
            "nft list ruleset",
            "sha256sum",
        ],
    )?;
    finds(lab, idle, 2, &[&format!("{here} does not hear this node")])?;
    lab.net.mend()?;
    lab.both_alive()?;
    lab.note("another key");
    let keys = vec![OTHER_KEY.to_owned()];
    let other = Settings {
        keys,
        ..Settings::default()
    };
    lab.node(idle).kill();
    lab.node(idle).configure(&other)?;
    lab.start(idle)?;
    says(lab, holder, "signed with another key")?;
    finds(
        lab,
        holder,
        2,
        &[
            "heartbeats signed with another key",
            "compare `sha256sum` of the key_file",
        ],
    )?;
    lab.note("no daemon");
    lab.node(idle).kill();
    finds(
        lab,
        idle,
        2,
        &[
            "is not running on this node",
            "this is the local part only",
            "systemctl start ha-appliance",
        ],
    )?;
    lab.node(idle).configure(&Settings::default())?;
    Ok(())
}

/// `doctor` on that node gives this exit code and says all that.
fn finds(lab: &mut Lab, host: Host, code: i32, wanted: &[&str]) -> Outcome<String> {
    let output = lab.node(host).command(&["doctor"])?;
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(code),
        "{:?}, not {code}:\n{page}{complaint}",
        output.status
    );
    for what in wanted {
        ensure!(page.contains(what), "{what:?} is not in\n{page}{complaint}");
    }
    Ok(page)
}

fn told_on_both(lab: &mut Lab) -> Outcome {
    let (holder, _client) = lab.pair(&Settings::default())?;
    let idle = holder.peer();
    let (here, there) = (holder.node_name(), idle.node_name());
    lab.note("the idle node's LAN is dead");
    lab.net.cut(Port(idle, Wire::Lan), Cut::Both)?;
    let lost = format!("gateway {GATEWAY} on lan0 does not answer");
    told(lab, holder, &format!("{there}  {lost}"))?;
    says(
        lab,
        holder,
        "could not take it over well: lan0: the gateway does not answer",
    )?;
    let order = ["failover", "--to", there];
    let refused = lab.node(holder).order(&order).err().unwrap_or_default();
    ensure!(
        refused.contains("worse off")
            && refused.contains(&format!(
                "{there} says of web: lan0: the gateway does not answer"
            )),
        "`failover` says {refused:?}"
    );
    lab.net.mend()?;
    let back = "answers again";
    told(lab, holder, back)?;
    for host in [holder, idle] {
        lab.note(format!("{}'s daemon starts anew", host.node_name()));
        lab.node(host).kill();
        lab.start(host)?;
        lab.both_alive()?;
        let again = format!(
            "{}  ha-appliance {} starts",
            host.node_name(),
            env!("CARGO_PKG_VERSION")
        );
        for at in [holder, idle] {
            let history = told(lab, at, &again)?;
            let times = history.matches(&lost).count();
            ensure!(
                times == 1,
                "told {times} times on {}:\n{history}",
                at.node_name()
            );
            let sorted: Vec<&str> = history.lines().filter_map(|line| line.get(..15)).collect();
            ensure!(sorted.is_sorted(), "not in order:\n{history}");
        }
    }
    for host in [holder, idle] {
        each_line_once(lab, host)?;
    }
    let own = lab.node(holder).order(&["history", "--here"])?;
    ensure!(
        own.lines()
            .all(|line| line.contains(&format!("  {here}  "))),
        "not only of this node:\n{own}"
    );
    let few = lab.node(holder).order(&["history", "-n", "3"])?;
    ensure!(few.lines().count() == 3, "not three lines:\n{few}");
    Ok(())
}

/// What that node wrote stands in the other's history, every line of it once and in order.
fn each_line_once(lab: &mut Lab, host: Host) -> Outcome {
    let asked = now();
    loop {
        let own = lab
            .node(host)
            .order(&["history", "--here", "--json", "-n", "100"])?;
        let other = lab.node(host.peer());
        let both = other.order(&["history", "--json", "-n", "1000"])?;
        let name = format!("\"node\":\"{}\"", host.node_name());
        let told: Vec<&str> = both.lines().filter(|line| line.contains(&name)).collect();
        let own: Vec<&str> = own.lines().collect();
        if told == own {
            return Ok(());
        }
        ensure!(
            sys::since(asked) < Duration::from_secs(10),
            "of {} is told\n{}\nand it wrote\n{}",
            host.node_name(),
            told.join("\n"),
            own.join("\n")
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn two_of_one_name(lab: &mut Lab) -> Outcome {
    let (holder, _client) = lab.pair(&Settings::default())?;
    let idle = holder.peer();
    let (here, there) = (holder.node_name(), idle.node_name());
    lab.note("the idle node's daemon is started as the holder");
    lab.node(idle).kill();
    lab.node(idle).called = here;
    lab.start(idle)?;
    let wrong = format!("gives to {there}, and the daemon runs as {here}");
    says(lab, idle, &wrong)?;
    says(lab, holder, "each must be another node")?;
    lab.node(idle).kill();
    lab.note("another daemon speaks from there under the holder's name");
    let twin = FakePeer::twin(lab, idle)?;
    let page = says(
        lab,
        holder,
        "another machine speaks from there as this very node",
    )?;
    ensure!(
        page.contains("each must be another node"),
        "no advice:\n{page}"
    );
    told(lab, holder, "both were started as the same node")?;
    drop(twin);
    lab.node(idle).called = there;
    lab.start(idle)?;
    lab.both_alive()?;
    let page = says(lab, idle, there)?;
    ensure!(
        !page.contains("the daemon runs as"),
        "it still says\n{page}"
    );
    Ok(())
}

fn a_move_that_would_lose(lab: &mut Lab) -> Outcome {
    let (holder, _client) = lab.pair(&Settings::default())?;
    let second = "10.77.0.101/24";
    let more = Settings {
        vips: vec![format!("{VIP}/24"), second.into()],
        ..Settings::default()
    };
    lab.note("one node's file gets a second VIP");
    lab.node(holder).configure(&more)?;
    lab.node(holder).order(&["reload"])?;
    let (here, there) = (holder.node_name(), holder.peer().node_name());
    let differs = format!("group web, vip {second} is on {here} only");
    for host in [holder, holder.peer()] {
        says(lab, host, &differs)?;
        let order = ["failover", "--to", there];
        let refused = lab.node(host).order(&order).err().unwrap_or_default();
        let wanted = format!("{there}'s ha.toml does not list vip {second} in web");
        ensure!(refused.contains(&wanted), "`failover` says {refused:?}");
    }
    lab.nothing_moves(holder, Duration::from_secs(1))?;
    lab.node(holder.peer()).configure(&more)?;
    lab.node(holder.peer()).order(&["reload"])?;
    let from = now();
    while let Err(refused) = lab.node(holder).order(&["failover"]) {
        ensure!(sys::since(from) < Duration::from_secs(10), "{refused}");
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn looked_at_in_maintenance(lab: &mut Lab) -> Outcome {
    let (holder, _client) = lab.pair(&Settings::default())?;
    lab.node(holder).order(&["maintenance", "on"])?;
    lab.note("somebody deletes the VIP in maintenance");
    let netns = lab.net.netns(holder);
    let deleted = now();
    batch(Some(&netns), &format!("addr del {VIP}/32 dev lan0\n"))?;
    let gone = format!("{VIP} is not on lan0");
    let page = says(lab, holder, &gone)?;
    let took = sys::since(deleted);
    ensure!(took < Duration::from_secs(5), "said after {took:?}");
    ensure!(
        page.contains("BLOCKED, in maintenance"),
        "not loud enough:\n{page}"
    );
    // On the other node as well.
    told(lab, holder.peer(), &gone)?;
    std::thread::sleep(Duration::from_secs(1));
    ensure!(
        lab.watch.holders(VIP).is_empty(),
        "it was put back in maintenance"
    );
    lab.node(holder).order(&["maintenance", "off"])?;
    told(lab, holder, "is well again")?;
    Ok(())
}

fn not_off_but_unheard(lab: &mut Lab) -> Outcome {
    let (holder, _client) = lab.pair(&Settings::default())?;
    let idle = holder.peer();
    lab.note("what the idle node sends is lost, and its daemon starts anew");
    for wire in [Wire::Lan, Wire::Interlink] {
        lab.net.cut(Port(idle, wire), Cut::HeartbeatsSent)?;
    }
    lab.node(idle).kill();
    lab.start(idle)?;
    let page = says(lab, idle, "probably active there")?;
    let wanted = format!("unknown of {}", holder.node_name());
    ensure!(
        page.contains(&wanted),
        "it does not say {wanted:?}:\n{page}"
    );
    ensure!(
        !page.contains("NOT ACTIVE"),
        "it says more than it knows:\n{page}"
    );
    ensure!(
        !page.contains("confirm-fenced"),
        "it advises to confirm:\n{page}"
    );
    let order = ["confirm-fenced", holder.node_name(), "--yes"];
    let refused = lab.node(idle).order(&order).err().unwrap_or_default();
    ensure!(
        refused.contains("may well live") && refused.contains("this cluster's key"),
        "`confirm-fenced` says {refused:?}"
    );
    lab.nothing_moves(holder, Duration::from_secs(2))
}

fn what_is_told(lab: &mut Lab) -> Outcome {
    let (holder, _client) = lab.pair(&Settings::default())?;
    lab.net
        .cut(Port(holder.peer(), Wire::Interlink), Cut::HeartbeatsSent)?;
    told(lab, holder, "nothing comes from")?;
    lab.net.mend()?;
    let history = told(lab, holder, "heard again, after")?;
    let lost = history.matches("nothing comes from").count();
    ensure!(lost == 1, "the lost link is told {lost} times:\n{history}");
    lab.note("a cable is pulled: one edge, one line");
    let cable = Port(holder.peer(), Wire::Lan);
    lab.net.pull(cable)?;
    std::thread::sleep(Duration::from_secs(5));
    lab.net.plug(cable)?;
    let history = told(lab, cable.0, "carrier is back")?;
    std::thread::sleep(Duration::from_secs(2));
    let here = lab.node(cable.0).order(&["history", "--here"])?;
    let beside = ["hears nothing", "nothing comes", "nothing gets", "gateway"];
    // Of the link that was cut before, it may have told as well.
    let since = here.split_once("no carrier").map_or("", |(_, since)| since);
    ensure!(
        here.matches("no carrier").count() == 1 && !beside.iter().any(|what| since.contains(what)),
        "of one cable it tells:\n{history}"
    );
    let to = holder.node_name();
    let answer = lab.node(holder).order(&["failover", "--to", to])?;
    ensure!(answer.contains("nothing to do"), "it says {answer:?}");
    let history = told(lab, holder, &format!("failover --to {to}: nothing to do"))?;
    let asked = format!("failover --to {to}: asked for by root");
    ensure!(history.contains(&asked), "nobody asked:\n{history}");
    Ok(())
}

/// Waits until the page says that.
fn says(lab: &mut Lab, host: Host, what: &str) -> Outcome<String> {
    let asked = now();
    loop {
        let output = lab.node(host).command(&["status"])?;
        let page = String::from_utf8_lossy(&output.stdout);
        // Lines are broken where they must be.
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        if page.contains(what) {
            return Ok(page);
        }
        ensure!(
            sys::since(asked) < Duration::from_secs(25),
            "{what:?} is not in\n{page}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until the history tells that.
fn told(lab: &mut Lab, host: Host, what: &str) -> Outcome<String> {
    let asked = now();
    loop {
        let history = lab.node(host).order(&["history"])?;
        if history.contains(what) {
            return Ok(history);
        }
        ensure!(
            sys::since(asked) < Duration::from_secs(10),
            "{what:?} is not in\n{history}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

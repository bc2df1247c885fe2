//! What an operator is told while one node knows little of the other.

use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Cut, Host, Port, Wire};
use crate::scenario::{Run::Nodes, Scenario};
use crate::sys::{self, now};
use crate::toml::Settings;
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
];

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

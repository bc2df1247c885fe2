//! What is to be said of datagrams that are refused, by either node.

use super::{Concern, age, degraded};
use crate::core::node::SIGN_LASTS;
use crate::core::time::Time;
use crate::shell::refused::{NOBODY_LISTENS, OVER, OWN_NAME};
use crate::shell::status::{Group, Path, Refused, Status, sentence};
use std::time::Duration;

/// Without maintenance a daemon that is told to end stops what it cannot hand over.
const RESTART: &str = "mend the wrong file and restart its daemon between `ha-appliance maintenance on` and `off` there, so that what runs there stays";

/// What helps against a refusal, by its cause.
pub(super) fn refusal(cause: &str, peer: &str, config: &str) -> String {
    match cause {
        "other-cluster" => format!(
            "compare `cluster` in what `ha-appliance check` prints on both nodes: is {peer} of another pair? then {RESTART}"
        ),
        "other-nodes" => format!(
            "compare `grep '^\\[node' {config}` on both nodes: names and their order; then {RESTART}"
        ),
        "other-version" => {
            "install the same version on both nodes: `ha-appliance version` on each".into()
        }
        "same-node" => SAME_NODE.into(),
        _ => "compare ha.toml and `ha-appliance version` on both nodes".into(),
    }
}

const SAME_NODE: &str = "compare `hostname` and the `--node` option of the unit on both nodes: each must be another node";

/// What came from the peer's address and was refused, lately.
pub(super) fn of_refused(status: &Status, now: Time) -> Vec<Concern> {
    let peer = status.peer_name();
    // Of a path on which the peer is heard since it is over.
    let lately = |r: &&Refused| {
        let of = |path: &&Path| (&path.own, &path.peer) == (&r.own, &r.peer);
        let heard = status.paths.iter().find(of).and_then(|path| path.heard_us);
        let over = heard.is_some_and(|at| at > r.last_us);
        now.since(Time(r.last_us)) <= if over { OVER } else { LATELY }
    };
    // One cause is one thing to mend, on however many paths it is seen.
    let of = |refused: &Vec<&Refused>| {
        let count: u64 = refused.iter().map(|it| it.count).sum();
        let latest = refused.iter().map(|it| it.last_us).max().unwrap_or(0);
        let hint = match refused.first().map_or("", |first| first.cause.as_str()) {
            "other key" => format!(
                "compare `sha256sum` of the key_file on both nodes; copy {} to the other, then `ha-appliance reload` there; if they are the same, \
                 one was not loaded yet: `ha-appliance reload` on both",
                right_key(status)
            ),
            OWN_NAME => SAME_NODE.into(),
            _ => "does another program or version use that port there?".into(),
        };
        let (what, ago) = (sentence::refused(refused, peer), age(now, latest));
        degraded(
            format!("{what} ({count} so far, the latest {ago} ago)"),
            hint,
        )
    };
    // Of one that is refused for that it is said already.
    let twin = status.peer.cause == "same-node";
    let foreign = |r: &&Refused| r.cause != NOBODY_LISTENS && !(twin && r.cause == OWN_NAME);
    let refused = status.refused.iter().filter(foreign).filter(lately);
    let mut causes: Vec<Vec<&Refused>> = Vec::new();
    for one in refused {
        match causes.iter_mut().find(|of| of[0].cause == one.cause) {
            Some(of) => of.push(one),
            None => causes.push(vec![one]),
        }
    }
    causes.iter().map(of).collect()
}

/// Whoever serves is not to be touched.
fn right_key(status: &Status) -> String {
    let here = |group: &Group| group.role == "active" || group.adopted;
    let there = |group: &Group| group.elsewhere.is_some();
    let (me, peer) = (&status.node, status.peer_name());
    match (
        status.groups.iter().any(here),
        status.groups.iter().any(there),
    ) {
        (true, false) => format!("that of {me}, which serves,"),
        (false, true) => format!("that of {peer}, which probably serves,"),
        _ => "the right one".into(),
    }
}

/// The latest word of the peer's machine that nobody listens there.
pub(super) fn nobody_listens(status: &Status, now: Time) -> Option<&Refused> {
    let lately =
        |r: &&Refused| r.cause == NOBODY_LISTENS && now.since(Time(r.last_us)) <= SIGN_LASTS;
    status
        .refused
        .iter()
        .filter(lately)
        .max_by_key(|r| r.last_us)
}

/// What was refused longer ago is history.
const LATELY: Duration = Duration::from_secs(60);

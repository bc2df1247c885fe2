//! What is to be said of datagrams that are refused, by either node.

use super::{Concern, age, degraded};
use crate::core::node::SIGN_LASTS;
use crate::core::time::Time;
use crate::shell::refused::{NOBODY_LISTENS, OWN_NAME};
use crate::shell::status::{Refused, Status, sentence};
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
    let lately = |r: &&Refused| now.since(Time(r.last_us)) <= LATELY;
    let of = |refused: &Refused| {
        let (from, count, ago) = (&refused.peer, refused.count, age(now, refused.last_us));
        let hint = match refused.cause.as_str() {
            "other key" => {
                "compare `sha256sum` of the key_file on both nodes; copy the right one, then `ha-appliance reload` there"
            }
            OWN_NAME => SAME_NODE,
            _ => "does another program or version use that port there?",
        };
        let what = sentence::refused(&refused.cause, from, &refused.own, peer);
        degraded(
            format!("{what} ({count} so far, the latest {ago} ago)"),
            hint.into(),
        )
    };
    // Of one that is refused for that it is said already.
    let twin = status.peer.cause == "same-node";
    let foreign = |r: &&Refused| r.cause != NOBODY_LISTENS && !(twin && r.cause == OWN_NAME);
    let refused = status.refused.iter().filter(foreign);
    refused.filter(lately).map(of).collect()
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

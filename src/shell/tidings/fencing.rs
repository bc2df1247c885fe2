//! What is told of fencing: whether the nodes could make sure of each other.

use super::{Subject, Trouble};
use crate::core::peer::PeerState;
use crate::shell::status::{Facts, protection, sentence};
use log::Level;
use std::time::Duration;

/// What did not answer once is asked again within seconds: a machine boots before its network is up.
const SETTLE: Duration = Duration::from_secs(10);

/// Of this node's devices, and of the peer's by its word.
pub(super) fn subjects(facts: &Facts) -> Vec<Subject> {
    let Some(fencing) = facts.fencing else {
        return Vec::new();
    };
    let (view, names) = (facts.view, facts.names);
    let (here, peer) = (names.node(view.me), names.node(view.me.other()));
    let trouble = |text, over| Trouble {
        group: None,
        change: "fencing",
        level: Level::Warn,
        settle: SETTLE,
        text,
        over,
    };
    let mine = fencing.known().map(|ready| !ready);
    let mine = Subject::new("fencing".into(), mine, || {
        let text = format!("UNPROTECTED: {}", protection::not_ready(fencing, peer));
        trouble(
            text,
            format!("something that switches {peer} off can be used again"),
        )
    });
    let answers = matches!(view.peer.state, PeerState::Alive | PeerState::OneWay);
    let theirs = fencing.peer_ready.map(|ready| !ready).filter(|_| answers);
    let theirs = Subject::new("fencing there".into(), theirs, || {
        let text = format!("UNPROTECTED: {}", sentence::useless_there(here, peer));
        trouble(
            text,
            format!("something that switches {here} off can be used by {peer} again"),
        )
    });
    vec![mine, theirs]
}

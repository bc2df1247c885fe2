//! What is to be said of single links.

use super::{Concern, age, degraded};
use crate::core::time::Time;
use crate::shell::status::{Path, Status, sentence};
use std::time::Duration;

/// `said`: what is said of the peer.
pub(super) fn of_links(status: &Status, said: &[Concern], now: Time) -> Vec<Concern> {
    // Without any life sign of the peer, single links say nothing more.
    if !matches!(status.peer.state.as_str(), "alive" | "one-way" | "refused") {
        return Vec::new();
    }
    // Nor in the first moment, before each way was tried.
    if now.since(Time(status.peer.since_us)) < MOMENT {
        return Vec::new();
    }
    let peer = status.peer_name();
    let broken = |what: String| {
        degraded(
            what,
            "look for a filter or a broken cable in that direction".into(),
        )
    };
    let lasting = |what: String, path: &Path| match path.heard_us {
        Some(at) => format!("{what}, for {}", age(now, at)),
        None => format!("{what} yet"),
    };
    let is_said = |why: &String| said.iter().any(|concern| concern.text.contains(why));
    let of = |path: &Path| {
        let (own, other) = (&path.own, &path.peer);
        // What is amiss at the other end is one thing to mend.
        if let Some(why) = &path.hindered_there {
            let what = sentence::severed(sentence::kind_of_path(path.last_resort), own, other);
            let dead = !path.in_ok || path.out_ok == Some(false);
            let what = sentence::by_its_word(&what, peer, why);
            return (dead && !is_said(why))
                .then(|| degraded(lasting(what, path), format!("mend that on {peer}")));
        }
        let kind = sentence::kind_of_path(path.last_resort);
        // Of one that hears nothing at all it is said once.
        let deaf = path.out_ok == Some(false) && status.peer.state != "one-way";
        let concern = match (!path.in_ok, deaf) {
            (true, true) => degraded(
                lasting(sentence::severed(kind, own, other), path),
                format!("look for a broken cable, a switch or a filter between {own} and {other}"),
            ),
            (true, false) => broken(lasting(sentence::mute(kind, other, own, peer), path)),
            (false, true) => broken(sentence::deaf(kind, own, other, peer, &status.node)),
            (false, false) => return None,
        };
        Some(concern)
    };
    // One of last resort that goes the way of a link says nothing more.
    let as_a_link = |path: &Path| {
        let same =
            |link: &Path| !link.last_resort && (&link.own, &link.peer) == (&path.own, &path.peer);
        path.last_resort && status.paths.iter().any(same)
    };
    status
        .paths
        .iter()
        .filter(|path| !path.hindered && !as_a_link(path))
        .filter_map(of)
        .collect()
}

const MOMENT: Duration = Duration::from_secs(1);

/// "nothing for 3.2 s", or "nothing yet".
pub(in crate::shell::status) fn silence(path: &Path, now: Time) -> String {
    path.heard_us.map_or("nothing yet".into(), |at| {
        format!("nothing for {}", age(now, at))
    })
}

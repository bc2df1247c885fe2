//! Where a group runs, as far as this node knows.

use crate::shell::status::{Group, Status};

/// Where a group runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::shell::status) enum Place {
    /// Here.
    Here,
    /// On the peer, by its word.
    There,
    /// On both: in a move, or worse.
    Both,
    /// It is being started or stopped.
    Moving(Move),
    /// Not here; of the peer nothing is known.
    Unknown,
    /// Nowhere.
    Nowhere,
}

/// A start or a stop that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::shell::status) struct Move {
    /// On this node.
    pub(in crate::shell::status) node: String,
    /// starting or stopping.
    pub(in crate::shell::status) role: &'static str,
    /// Since when; None: that node has not told.
    pub(in crate::shell::status) since_us: Option<i64>,
    /// Why.
    pub(in crate::shell::status) reason: Option<String>,
}

/// It is being started or stopped, by all that is known.
pub(crate) fn on_its_way(status: &Status, group: &Group) -> bool {
    matches!(place(status, group), Place::Moving(_))
}

/// Where that is.
pub(in crate::shell::status) fn place(status: &Status, group: &Group) -> Place {
    let here = group.role == "active" || group.adopted;
    let told = group.peer.as_ref().map_or("", |peer| &peer.role);
    // Nothing is started in maintenance: a restarted daemon found it running.
    let there = told == "active" || (status.maintenance && told == "starting");
    let known = peer_is_known(status, group);
    let mine = way(&group.role).filter(|role| known || *role == "starting");
    match (here, there, mine, way(told)) {
        (true, true, ..) => Place::Both,
        (true, false, ..) => Place::Here,
        (false, true, ..) => Place::There,
        (_, _, Some(role), _) => Place::Moving(Move {
            node: status.node.clone(),
            role,
            since_us: Some(group.since_us),
            reason: Some(group.reason.clone()),
        }),
        (_, _, None, Some(role)) => {
            let says = group.peer.as_ref().and_then(|peer| peer.says.as_ref());
            let says = says.filter(|says| says.role == told);
            Place::Moving(Move {
                node: status.peer_name().into(),
                role,
                since_us: says.map(|says| says.since_us),
                reason: says.map(|says| says.reason.clone()),
            })
        }
        _ if known && group.elsewhere.is_none() => Place::Nowhere,
        _ => Place::Unknown,
    }
}

/// It is known what the peer does with the group: by its own word, or because it is off.
fn peer_is_known(status: &Status, group: &Group) -> bool {
    match status.peer.state.as_str() {
        "alive" | "one-way" => true,
        // A goodbye says nothing of what it does not name.
        "left" => group.peer.as_ref().is_some_and(|p| p.role == "stopped"),
        "fenced" => status.peer.signs_of_life.is_empty(),
        _ => false,
    }
}

fn way(role: &str) -> Option<&'static str> {
    match role {
        "starting" => Some("starting"),
        "stopping" => Some("stopping"),
        _ => None,
    }
}

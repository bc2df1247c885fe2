//! When an edge is acted on: at once, but no more than once a second for each of those it may happen to, and
//! never not at all. A bridge that containers join all the time, or a cable that is not quite plugged in, would
//! else have a thousand addresses announced at each.

use crate::core::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Edges of things that are called `K`.
#[derive(Debug)]
pub struct Edges<K>(BTreeMap<K, Edge>);

#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    due: Option<Time>,
    acted: Option<Time>,
}

/// Between two that are acted on.
const QUIET: Duration = Duration::from_secs(1);

impl<K> Default for Edges<K> {
    fn default() -> Self {
        Edges(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Edges<K> {
    /// There was one.
    pub fn note(&mut self, of: K, now: Time) {
        let edge = self.0.entry(of).or_default();
        let earliest = edge.acted.map_or(now, |acted| acted + QUIET);
        edge.due.get_or_insert(earliest.max(now));
    }

    /// Those to act on now.
    pub fn due(&mut self, now: Time) -> Vec<K> {
        let mut due = Vec::new();
        for (of, edge) in &mut self.0 {
            if edge.due.is_some_and(|at| at <= now) {
                *edge = Edge {
                    due: None,
                    acted: Some(now),
                };
                due.push(of.clone());
            }
        }
        due
    }

    /// When there is something to act on.
    pub fn deadline(&self) -> Option<Time> {
        self.0.values().filter_map(|edge| edge.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn the_first_at_once_and_the_last_of_many_a_second_later() {
        let mut edges = Edges::default();
        let mut acted = Vec::new();
        for at in (0..=30).map(|tenth| Time(tenth * SECOND / 10)) {
            if at.0 <= SECOND / 2 {
                edges.note("eth0", at);
            }
            acted.extend(edges.due(at).into_iter().map(|_| at.0));
        }
        assert_eq!(acted, [0, SECOND]);
        assert_eq!(edges.deadline(), None);
    }

    #[test]
    fn each_has_its_own_second() {
        let mut edges = Edges::default();
        edges.note("eth0", Time(0));
        assert_eq!(edges.due(Time(0)), ["eth0"]);
        edges.note("eth1", Time(1));
        edges.note("eth0", Time(1));
        assert_eq!(edges.due(Time(1)), ["eth1"]);
        assert_eq!(edges.deadline(), Some(Time(SECOND)));
    }
}

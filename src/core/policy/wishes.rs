//! The operator's lasting wishes: standby, maintenance, stopped groups. Both nodes keep all of them
//! and merge what the other says, so a command works from either node, reaches a node that is
//! away when it returns, and survives reboots.

use crate::id::GroupId;
use crate::wire::heartbeat::{Wish, WishSubject};

/// All wishes known, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wishes(Vec<Wish>);

impl Wishes {
    /// The wishes the disk remembers.
    pub fn new(saved: &[Wish]) -> Wishes {
        let mut wishes = Wishes::default();
        for wish in saved {
            wishes.merge(*wish);
        }
        wishes
    }

    /// Whether it is in force.
    pub fn is_on(&self, subject: WishSubject) -> bool {
        self.find(subject).is_some_and(|w| w.on)
    }

    /// The operator wishes it, or withdraws it.
    pub fn set(&mut self, subject: WishSubject, on: bool) {
        let known = self.find(subject);
        if known.map(|w| w.on) != Some(on) {
            let count = known.map_or(0, |w| w.count) + 1;
            self.merge(Wish { subject, count, on });
        }
    }

    /// The peer knows this: the later change wins, and of two made at once the one that is on.
    /// True if it is news.
    pub fn merge(&mut self, theirs: Wish) -> bool {
        match self.0.binary_search_by_key(&theirs.subject, |w| w.subject) {
            Ok(at) => {
                let news = (theirs.count, theirs.on) > (self.0[at].count, self.0[at].on);
                if news {
                    self.0[at] = theirs;
                }
                news
            }
            Err(at) => {
                self.0.insert(at, theirs);
                true
            }
        }
    }

    /// Forgets wishes about groups that are no more.
    pub fn retain_groups(&mut self, groups: &[GroupId]) {
        self.0.retain(|w| match w.subject {
            WishSubject::Stopped(group) => groups.contains(&group),
            WishSubject::Maintenance | WishSubject::Standby(_) => true,
        });
    }

    /// All of them.
    pub fn all(&self) -> &[Wish] {
        &self.0
    }

    fn find(&self, subject: WishSubject) -> Option<Wish> {
        self.0.iter().copied().find(|w| w.subject == subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::heartbeat::Side;

    #[test]
    fn both_nodes_end_with_the_same_wishes_in_whatever_order_they_hear_them() {
        let standby = WishSubject::Standby(Side::First);
        let (mut a, mut b) = (Wishes::default(), Wishes::default());
        a.set(standby, true);
        a.set(standby, false);
        b.set(standby, true);
        b.set(WishSubject::Maintenance, true);
        let (of_a, of_b) = (a.clone(), b.clone());
        for wish in of_b.all() {
            a.merge(*wish);
        }
        for wish in of_a.all() {
            b.merge(*wish);
        }
        assert_eq!(a, b);
        assert!(!a.is_on(standby) && a.is_on(WishSubject::Maintenance));
    }
}

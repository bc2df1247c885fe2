//! The operator's lasting wishes: standby, maintenance, stopped groups. Both nodes keep all of them
//! and merge what the other says, so a command works from either node, reaches a node that is
//! away when it returns, and survives reboots.
//!
//! **What was acknowledged is kept** until somebody takes it back who could know of it. So a wish is not
//! one register that counts its changes: of two nodes that cannot talk, the one that had counted further
//! would undo what the other was told meanwhile, and so would the peer of a node whose disk is new. Each side
//! has a *tag* for the latest time that the wish was given there, and whether that was taken back; the wish
//! is in force while some tag is not. Only a side itself makes its tags, each a new one, so that
//! - of two equal tags, taken back by either means taken back;
//! - of different tags of one side its own is the later one, and the other node follows it;
//! - a side without a tag of its own, after the loss of its disk, learns it back.
//!
//! **What remains impossible.** A node whose disk was lost and that has not heard its peer since knows no tag:
//! what is taken back there ends no wish that the peer still holds, and what is given there counts from then on
//! in place of what was given at the same side before. A disk that goes back to an older state goes back to
//! its older tag, and takes the peer along.

use crate::id::GroupId;
use crate::wire::heartbeat::{Given, Side, Wish, WishSubject};

/// All wishes known, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wishes {
    all: Vec<Wish>,
    /// Tags made since this daemon started.
    made: u32,
}

impl Wishes {
    /// The wishes the disk remembers.
    pub fn new(saved: &[Wish]) -> Wishes {
        let mut wishes = Wishes::default();
        for wish in saved {
            *wishes.entry(wish.subject) = *wish;
        }
        wishes
    }

    /// Whether it is in force.
    pub fn is_on(&self, subject: WishSubject) -> bool {
        self.find(subject).is_some_and(|wish| wish.is_on())
    }

    /// The operator wishes it at this node, or takes it back. One that is in force already is given once more:
    /// who takes the earlier one back may not know of this.
    pub fn set(&mut self, me: Side, incarnation: u64, subject: WishSubject, on: bool) {
        if on {
            let tag = first_tag(incarnation).wrapping_add(self.made);
            self.made = self.made.wrapping_add(1);
            let given = Given {
                tag,
                taken_back: false,
            };
            self.entry(subject).given[me as usize] = Some(given);
        } else if self.find(subject).is_some() {
            let known = self.entry(subject).given.iter_mut().flatten();
            known.for_each(|given| given.taken_back = true);
        }
    }

    /// The peer knows this. True if it is news.
    pub fn merge(&mut self, me: Side, theirs: Wish) -> bool {
        if theirs.given == [None; 2] {
            return false;
        }
        let mine = self.entry(theirs.subject);
        let before = *mine;
        for (side, theirs) in [Side::First, Side::Second].into_iter().zip(theirs.given) {
            let Some(theirs) = theirs else { continue };
            let mine = &mut mine.given[side as usize];
            match mine {
                Some(mine) if mine.tag == theirs.tag => mine.taken_back |= theirs.taken_back,
                Some(_) if side == me => {}
                _ => *mine = Some(theirs),
            }
        }
        *mine != before
    }

    /// Forgets wishes about groups that nobody remembers.
    pub fn retain_groups(&mut self, groups: &[GroupId]) {
        self.all.retain(|w| match w.subject {
            WishSubject::Stopped(group) => groups.contains(&group),
            WishSubject::Maintenance | WishSubject::Standby(_) => true,
        });
    }

    /// All of them.
    pub fn all(&self) -> &[Wish] {
        &self.all
    }

    /// The same, for a search that names their tags anew: those made from now on are new all the same.
    pub fn rename(&mut self) -> &mut [Wish] {
        self.made = 0;
        &mut self.all
    }

    fn find(&self, subject: WishSubject) -> Option<Wish> {
        self.all.iter().copied().find(|w| w.subject == subject)
    }

    fn entry(&mut self, subject: WishSubject) -> &mut Wish {
        let at = match self.all.binary_search_by_key(&subject, |w| w.subject) {
            Ok(at) => at,
            Err(at) => {
                let given = [None; 2];
                self.all.insert(at, Wish { subject, given });
                at
            }
        };
        &mut self.all[at]
    }
}

/// Drawn at random like the incarnation it is made from, and, as an odd factor keeps them apart, another
/// one for every other lower half of that.
fn first_tag(incarnation: u64) -> u32 {
    let folded = (incarnation ^ incarnation >> 32) as u32;
    folded.wrapping_mul(0x9e37_79b1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const STANDBY: WishSubject = WishSubject::Standby(Side::First);

    /// A node's wishes, and what its operators and it could know: per side the latest of the times that it
    /// was given there, and all that were taken back.
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Knower {
        wishes: Wishes,
        incarnation: u64,
        latest: [Option<u8>; 2],
        taken_back: Vec<u8>,
    }

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Pair {
        nodes: [Knower; 2],
        under_way: [Option<Knower>; 2],
        times: u8,
        wiped: bool,
    }

    impl Knower {
        fn new(incarnation: u64) -> Knower {
            Knower {
                wishes: Wishes::default(),
                incarnation,
                latest: [None; 2],
                taken_back: vec![],
            }
        }

        fn learn_taken_back(&mut self, times: impl IntoIterator<Item = u8>) {
            self.taken_back.extend(times);
            self.taken_back.sort_unstable();
            self.taken_back.dedup();
        }

        fn hear(&mut self, me: Side, theirs: &Knower) {
            for wish in theirs.wishes.all() {
                self.wishes.merge(me, *wish);
            }
            for (mine, theirs) in self.latest.iter_mut().zip(theirs.latest) {
                *mine = (*mine).max(theirs);
            }
            self.learn_taken_back(theirs.taken_back.clone());
        }

        fn keeps_its_word(&self) -> bool {
            let mut in_force = self.latest.iter().flatten();
            self.wishes.is_on(STANDBY) == in_force.any(|time| !self.taken_back.contains(time))
        }
    }

    impl Pair {
        /// Everything that can happen next.
        fn next(&self) -> Vec<Pair> {
            let mut all = vec![];
            for me in [Side::First, Side::Second] {
                let it = me as usize;
                let mut on = self.clone();
                on.times += 1;
                let node = &mut on.nodes[it];
                node.wishes.set(me, node.incarnation, STANDBY, true);
                node.latest[it] = Some(on.times);
                let mut off = self.clone();
                let node = &mut off.nodes[it];
                node.wishes.set(me, node.incarnation, STANDBY, false);
                node.learn_taken_back(node.latest.into_iter().flatten());
                let mut says = self.clone();
                says.under_way[it] = Some(says.nodes[it].clone());
                all.extend([on, off, says]);
                if let Some(said) = &self.under_way[1 - it] {
                    let mut hears = self.clone();
                    hears.nodes[it].hear(me, said);
                    all.push(hears);
                }
                if !self.wiped {
                    let mut wiped = self.clone();
                    wiped.nodes[it] = Knower::new(self.nodes[it].incarnation + 2);
                    // A new daemon believes nothing that was said to an old one, nor the other way round.
                    wiped.under_way = [None, None];
                    wiped.wiped = true;
                    all.push(wiped);
                }
            }
            all
        }
    }

    /// Whatever is given, taken back, said and heard in whatever order, and one disk lost: a wish is in force
    /// exactly while some time that it was given, the latest of its side, was taken back by nobody who
    /// could know of it.
    #[test]
    fn what_was_acknowledged_is_kept_until_it_is_taken_back() {
        let first = Pair {
            nodes: [Knower::new(1), Knower::new(2)],
            under_way: [None, None],
            times: 0,
            wiped: false,
        };
        let mut now = HashSet::from([first]);
        let mut seen = 0;
        for _ in 0..8 {
            now = now.iter().flat_map(Pair::next).collect();
            seen += now.len();
            for pair in &now {
                assert!(pair.nodes.iter().all(Knower::keeps_its_word));
            }
        }
        assert!(seen > 50_000, "{seen}");
    }

    /// The link is cut; maintenance comes and goes at one node, and is switched on at the other.
    #[test]
    fn what_one_node_was_told_is_not_undone_by_how_often_the_other_was_told_something() {
        let (mut a, mut b) = (Wishes::default(), Wishes::default());
        for on in [true, false, true, false] {
            a.set(Side::First, 1, WishSubject::Maintenance, on);
        }
        b.set(Side::Second, 2, WishSubject::Maintenance, true);
        b.merge(Side::Second, a.all()[0]);
        assert!(b.is_on(WishSubject::Maintenance));
    }

    #[test]
    fn a_node_with_a_new_disk_is_not_talked_out_of_its_standby() {
        let mut old = Wishes::default();
        old.set(Side::First, 1, STANDBY, true);
        old.set(Side::First, 1, STANDBY, false);
        let mut new = Wishes::default();
        new.set(Side::First, 9, STANDBY, true);
        new.merge(Side::First, old.all()[0]);
        assert!(new.is_on(STANDBY));
    }

    #[test]
    fn both_nodes_end_with_the_same_wishes_in_whatever_order_they_hear_them() {
        let (mut a, mut b) = (Wishes::default(), Wishes::default());
        a.set(Side::First, 1, STANDBY, true);
        a.set(Side::First, 1, STANDBY, false);
        b.set(Side::Second, 2, STANDBY, true);
        b.set(Side::Second, 2, WishSubject::Maintenance, true);
        let (of_a, of_b) = (a.clone(), b.clone());
        for wish in of_b.all() {
            assert!(a.merge(Side::First, *wish));
        }
        for wish in of_a.all() {
            b.merge(Side::Second, *wish);
        }
        assert_eq!(a.all(), b.all());
        assert!(a.is_on(STANDBY) && a.is_on(WishSubject::Maintenance));
    }
}

//! Whether another host answers for VIPs that neither node had lately: a machine that somebody forgot, a typo in
//! somebody's file. Asked before they are started, in the way of RFC 5227 section 2.1.1 and RFC 4862 section
//! 5.4, which claims nothing; and again and again while somebody answers.
//!
//! What either node ran just before is not asked for: a takeover and a planned move do not wait for this, and
//! nobody could tell the old holder's last answers from another's. A router that answers for every address has
//! none of them: it is known by its answers for addresses nearby that nobody was asked for.

use crate::core::time::Time;
use crate::id::Place;
use crate::wire::heartbeat::Role;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

type Mac = [u8; 6];

/// What is asked, and what came of it. There are few groups, so these are lists.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// When a node of the pair was last known to have a resource's VIPs.
    ran: Vec<(Place, Time)>,
    questions: Vec<Question>,
    taken: Vec<Taken>,
    /// When nobody answered.
    free: Vec<(Place, Time)>,
}

/// Asked about a resource's VIPs.
#[derive(Debug)]
pub struct Question {
    /// The resource.
    pub place: Place,
    /// Its VIPs.
    pub vips: Vec<IpAddr>,
    /// A start waits for the answer; otherwise it was refused, and is to be tried again.
    pub starts: bool,
    /// The peer says that it runs nothing of it.
    pub agreed: bool,
    /// Somebody answered, and addresses nearby are asked for: of each VIP that was answered for, these.
    nearby: bool,
    controls: Vec<(IpAddr, IpAddr)>,
    rounds: u32,
    /// When it is asked again, or, after the last time, given up.
    next: Time,
    heard: Vec<(IpAddr, Mac)>,
}

/// Somebody answers for a VIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    place: Place,
    /// Which.
    pub vip: IpAddr,
    /// From where.
    pub mac: Mac,
    asked: Time,
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nobody else has them.
    Free,
    /// Somebody has.
    Taken,
    /// This node did not run when the answers came.
    Missed,
}

/// Each is asked so often, so far apart, and for so long after the last time answers are waited for.
const ROUNDS: u32 = 2;
const BETWEEN: Duration = Duration::from_millis(100);
const WAIT: Duration = Duration::from_millis(200);
/// Until somebody who answers is asked again.
const AGAIN: Duration = Duration::from_secs(5);
/// An answer holds for so long.
const FRESH: Duration = Duration::from_secs(1);
/// Answers that are looked at so late may have been lost in a queue.
const LATE: Duration = Duration::from_millis(500);
/// VIPs of one resource that are asked for: they come and go together.
pub const MOST: usize = 128;

impl Duplicates {
    /// A node of the pair has a resource's VIPs.
    pub fn runs(&mut self, place: Place, now: Time) {
        match self.ran.iter_mut().find(|(known, _)| *known == place) {
            Some((_, at)) => *at = now,
            None => self.ran.push((place, now)),
        }
    }

    /// The peer says that of a resource's group. What it is still starting it does not have yet, and what it stops it has
    /// if it had it before.
    pub fn peer_says(&mut self, place: Place, role: Role, recently: Duration, now: Time) {
        match role {
            Role::Active => self.runs(place, now),
            Role::Stopping if is_lately(&self.ran, place, recently, now) => self.runs(place, now),
            Role::Stopping | Role::Stopped | Role::Starting | Role::Failed => {}
        }
    }

    /// Whether a node of the pair had them lately.
    pub fn ran_lately(&self, place: Place, recently: Duration, now: Time) -> bool {
        is_lately(&self.ran, place, recently, now)
    }

    /// Whether the VIPs are to be asked for before they are started.
    pub fn must_ask(&self, place: Place, recently: Duration, now: Time) -> bool {
        let fresh = |(of, at): &(Place, Time)| *of == place && now.since(*at) < FRESH;
        let lately = is_lately(&self.ran, place, recently, now);
        !lately && !self.free.iter().any(fresh)
    }

    /// Begins to ask.
    pub fn ask(
        &mut self,
        place: Place,
        vips: Vec<IpAddr>,
        (starts, agreed): (bool, bool),
        now: Time,
    ) {
        self.questions.retain(|question| question.place != place);
        self.questions.push(Question {
            place,
            vips,
            starts,
            agreed,
            nearby: false,
            controls: Vec::new(),
            rounds: 0,
            next: now,
            heard: Vec::new(),
        });
    }

    /// Ends a question whose answer nobody wants. True: a start waited for it.
    pub fn cancel(&mut self, place: Place) -> bool {
        let waits = self.questions.iter().any(|q| q.place == place && q.starts);
        self.questions.retain(|question| question.place != place);
        waits
    }

    /// What is to be asked now: each address with the VIP on whose interface.
    pub fn due(&mut self, now: Time) -> Vec<(IpAddr, IpAddr)> {
        let mut due = Vec::new();
        for question in &mut self.questions {
            if question.rounds < ROUNDS && now >= question.next {
                question.rounds += 1;
                let last = question.rounds == ROUNDS;
                question.next = now + if last { WAIT } else { BETWEEN };
                match question.nearby {
                    false => due.extend(question.vips.iter().map(|vip| (*vip, *vip))),
                    true => due.extend(&question.controls),
                }
            }
        }
        due
    }

    /// Somebody says that an address is his.
    pub fn heard(&mut self, address: IpAddr, mac: Mac) {
        for question in &mut self.questions {
            let mut controls = question.controls.iter();
            if question.vips.contains(&address) || controls.any(|(_, near)| *near == address) {
                question.heard.retain(|(known, _)| *known != address);
                question.heard.push((address, mac));
            }
        }
    }

    /// The questions whose time is over. `of_pair`: whether a hardware address is one of this node's, and whether
    /// it is one of the peer's. `known`: whether somebody may well have an address.
    pub fn answers(
        &mut self,
        of_pair: impl Fn(Mac) -> (bool, bool),
        known: impl Fn(IpAddr) -> bool,
        now: Time,
    ) -> Vec<(Question, Answer)> {
        let mut answers = Vec::new();
        for mut question in std::mem::take(&mut self.questions) {
            if question.rounds < ROUNDS || now < question.next {
                self.questions.push(question);
                continue;
            }
            let others = question.others(&of_pair);
            let other = others.iter().find(|other| !question.is_proxy(**other));
            let answer = if now.since(question.next) > LATE {
                Answer::Missed
            } else if !question.nearby && !others.is_empty() {
                let near = |(vip, _): &(IpAddr, Mac)| near(*vip, &known);
                question.controls = others.iter().flat_map(near).collect();
                (question.nearby, question.next, question.rounds) = (true, now, 0);
                self.questions.push(question);
                continue;
            } else if other.is_some() {
                Answer::Taken
            } else {
                Answer::Free
            };
            let place = question.place;
            self.free.retain(|(of, _)| *of != place);
            self.taken.retain(|taken| taken.place != place);
            if answer == Answer::Free {
                self.free.push((place, now));
            }
            let other = other.filter(|_| answer == Answer::Taken);
            self.taken.extend(other.map(|&(vip, mac)| Taken {
                place,
                vip,
                mac,
                asked: now,
            }));
            answers.push((question, answer));
        }
        answers
    }

    /// Who has a VIP of a resource that was to be started.
    pub fn taken(&self, place: Place) -> Option<&Taken> {
        self.taken.iter().find(|taken| taken.place == place)
    }

    /// What is to be asked for again.
    pub fn again(&self, now: Time) -> Vec<Place> {
        let due = |taken: &&Taken| now >= taken.asked + AGAIN && !self.is_asked(taken.place);
        let due = self.taken.iter().filter(due);
        due.map(|taken| taken.place).collect()
    }

    /// Forgets what is no resource any more, and who answered for what runs all the same. True: something.
    pub fn forget(&mut self, known: &[Place], recently: Duration, now: Time) -> bool {
        let before = self.taken.len();
        self.free.retain(|(_, at)| now.since(*at) < FRESH);
        self.ran.retain(|(place, _)| known.contains(place));
        let ran = &self.ran;
        let lately = |place: Place| is_lately(ran, place, recently, now);
        self.taken
            .retain(|taken| known.contains(&taken.place) && !lately(taken.place));
        self.questions
            .retain(|question| question.starts || !lately(question.place));
        self.taken.len() < before
    }

    /// Addresses that are asked for though they are no VIPs, each with the VIP on whose interface.
    pub fn controls(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> {
        let controls = self.questions.iter().flat_map(|q| &q.controls);
        controls.map(|(vip, near)| (*near, *vip))
    }

    /// Something is asked for.
    pub fn asks(&self) -> bool {
        !self.questions.is_empty()
    }

    /// When something is due.
    pub fn deadline(&self) -> Option<Time> {
        let questions = self.questions.iter().map(|question| question.next);
        let again = self.taken.iter().filter(|t| !self.is_asked(t.place));
        questions.chain(again.map(|t| t.asked + AGAIN)).min()
    }

    fn is_asked(&self, place: Place) -> bool {
        self.questions.iter().any(|q| q.place == place)
    }
}

impl Taken {
    /// In words, for people; `on`: where.
    pub fn words(&self, on: &str) -> String {
        let mac = self.mac.map(|byte| format!("{byte:02x}")).join(":");
        let vip = self.vip;
        format!(
            "another host ({mac} on {on}) answers for {vip}: find it, or choose another address"
        )
    }
}

impl Question {
    /// A VIP for which a peer that agreed answers all the same. It keeps nothing away: in a cloud it is the network
    /// that answers so, for whom it last gave the address to.
    pub fn answered_by_peer(&self, of_pair: impl Fn(Mac) -> (bool, bool)) -> Option<IpAddr> {
        let by_peer =
            |(address, mac): &&(IpAddr, Mac)| of_pair(*mac).1 && self.vips.contains(address);
        let heard = self.heard.iter().find(by_peer)?;
        self.agreed.then_some(heard.0)
    }

    /// The VIPs that strangers answer for.
    fn others(&self, of_pair: impl Fn(Mac) -> (bool, bool)) -> Vec<(IpAddr, Mac)> {
        let heard = self.heard.iter().filter(|(address, mac)| {
            let (own, peers) = of_pair(*mac);
            self.vips.contains(address) && !own && !peers
        });
        heard.take(FEW).copied().collect()
    }

    /// It answers for everything near the VIP as well.
    fn is_proxy(&self, (vip, mac): (IpAddr, Mac)) -> bool {
        let mut near = self.controls.iter().filter(|(of, _)| *of == vip).peekable();
        near.peek().is_some() && near.all(|(_, near)| self.heard.contains(&(*near, mac)))
    }
}

/// Of VIPs that are answered for, so many are looked into.
const FEW: usize = 4;

/// Addresses in the same small network as a VIP that nobody is known to have.
fn near(vip: IpAddr, known: impl Fn(IpAddr) -> bool) -> Vec<(IpAddr, IpAddr)> {
    let other = |bits: u8| match vip {
        IpAddr::V4(vip) => IpAddr::from(Ipv4Addr::from_bits(vip.to_bits() ^ u32::from(bits))),
        IpAddr::V6(vip) => IpAddr::from(Ipv6Addr::from_bits(vip.to_bits() ^ u128::from(bits))),
    };
    let all = [3, 13, 22, 9, 28, 5].map(other).into_iter();
    let unknown = all.filter(|address| !known(*address)).take(3);
    unknown.map(|address| (vip, address)).collect()
}

fn is_lately(ran: &[(Place, Time)], place: Place, recently: Duration, now: Time) -> bool {
    let mut ran = ran.iter();
    ran.any(|(known, at)| *known == place && now.since(*at) < recently)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{GroupId, ResourceId};

    const PLACE: Place = Place {
        group: GroupId(7),
        resource: ResourceId(1),
    };
    const RECENTLY: Duration = Duration::from_secs(10);
    const OWN: Mac = [2, 0, 0, 0, 0, 1];
    const PEER: Mac = [2, 0, 0, 0, 0, 2];
    const OTHER: Mac = [2, 0, 0, 0, 0, 0xff];

    fn vip() -> IpAddr {
        [192, 0, 2, 100].into()
    }

    fn at(ms: i64) -> Time {
        Time(1_000_000_000 + ms * 1000)
    }

    /// What is heard for each address that is asked for, at once; gives what was asked for when, and the answer.
    fn play(
        duplicates: &mut Duplicates,
        from: i64,
        has: impl Fn(IpAddr) -> Option<Mac>,
    ) -> (Vec<(i64, IpAddr)>, i64, Option<Mac>) {
        let mut asked = Vec::new();
        for ms in from.. {
            for (_, address) in duplicates.due(at(ms)) {
                asked.push((ms - from, address));
                if let Some(mac) = has(address) {
                    duplicates.heard(address, mac);
                }
            }
            let of_pair = |mac| (mac == OWN, mac == PEER);
            let answers = duplicates.answers(of_pair, |_| false, at(ms));
            if let [(question, answer)] = &answers[..] {
                assert_eq!(question.place, PLACE);
                let mac = duplicates.taken(PLACE).map(|taken| taken.mac);
                assert_eq!(*answer == Answer::Taken, mac.is_some());
                assert_ne!(*answer, Answer::Missed);
                return (asked, ms - from, mac);
            }
        }
        unreachable!()
    }

    fn asked_about(has: impl Fn(IpAddr) -> Option<Mac>) -> Option<Mac> {
        let mut duplicates = Duplicates::default();
        duplicates.ask(PLACE, vec![vip()], (true, true), at(0));
        play(&mut duplicates, 0, has).2
    }

    #[test]
    fn an_address_is_asked_for_twice_and_answers_are_waited_for() {
        let mut duplicates = Duplicates::default();
        assert!(duplicates.must_ask(PLACE, RECENTLY, at(0)));
        duplicates.ask(PLACE, vec![vip()], (true, false), at(0));
        let played = play(&mut duplicates, 0, |_| None);
        assert_eq!(played, (vec![(0, vip()), (100, vip())], 300, None));
        assert!(!duplicates.must_ask(PLACE, RECENTLY, at(400)), "just asked");
        assert!(duplicates.must_ask(PLACE, RECENTLY, at(1400)));
        assert_eq!(duplicates.deadline(), None);
    }

    #[test]
    fn another_host_is_found_and_asked_again_until_it_is_gone() {
        let mut duplicates = Duplicates::default();
        let has = |address| (address == vip()).then_some(OTHER);
        duplicates.ask(PLACE, vec![vip()], (true, false), at(0));
        assert_eq!(play(&mut duplicates, 0, has).2, Some(OTHER));
        let taken = duplicates.taken(PLACE).unwrap();
        assert_eq!(
            taken.words("eth0"),
            "another host (02:00:00:00:00:ff on eth0) answers for 192.0.2.100: find it, or choose another address"
        );
        let due = duplicates.deadline().unwrap();
        assert!(duplicates.again(due + Duration::from_secs(1)) == [PLACE]);
        let begun = due.since(at(0)).as_millis() as i64;
        duplicates.ask(PLACE, vec![vip()], (false, false), due);
        assert_eq!(play(&mut duplicates, begun, |_| None).2, None);
        assert_eq!(duplicates.taken(PLACE), None);
        assert!(begun < 5700, "{begun} ms");
    }

    #[test]
    fn the_pair_is_no_other_host_whatever_the_peer_says() {
        let of = |mac| move |address| (address == vip()).then_some(mac);
        assert_eq!(asked_about(of(PEER)), None);
        assert_eq!(asked_about(of(OWN)), None);
        let of_pair = |mac| (mac == OWN, mac == PEER);
        for (agreed, expected) in [(true, Some(vip())), (false, None)] {
            let mut duplicates = Duplicates::default();
            duplicates.ask(PLACE, vec![vip()], (true, agreed), at(0));
            duplicates.due(at(0));
            duplicates.heard(vip(), PEER);
            duplicates.due(at(100));
            let answers = duplicates.answers(of_pair, |_| false, at(300));
            let [(question, Answer::Free)] = &answers[..] else {
                panic!("{answers:?}");
            };
            assert_eq!(question.answered_by_peer(of_pair), expected);
        }
    }

    #[test]
    fn a_router_that_answers_for_every_address_has_none_of_them() {
        assert_eq!(asked_about(|_| Some(OTHER)), None);
        // Others have addresses nearby.
        let mixed = |address| Some(if address == vip() { OTHER } else { PEER });
        assert_eq!(asked_about(mixed), Some(OTHER));
        let some: IpAddr = [192, 0, 2, 100 ^ 13].into();
        let several = |address| (address == vip() || address == some).then_some(OTHER);
        assert_eq!(asked_about(several), Some(OTHER));
    }

    #[test]
    fn what_the_pair_ran_just_before_is_not_asked_for() {
        let mut duplicates = Duplicates::default();
        duplicates.runs(PLACE, at(0));
        assert!(!duplicates.must_ask(PLACE, RECENTLY, at(9_999)));
        assert!(duplicates.must_ask(PLACE, RECENTLY, at(10_000)));
        // What the peer tries to start it does not have, nor what it gives up then.
        for role in [Role::Stopped, Role::Starting, Role::Stopping, Role::Failed] {
            duplicates.peer_says(PLACE, role, RECENTLY, at(10_000));
        }
        assert!(duplicates.must_ask(PLACE, RECENTLY, at(10_000)));
        duplicates.peer_says(PLACE, Role::Active, RECENTLY, at(20_000));
        duplicates.peer_says(PLACE, Role::Stopping, RECENTLY, at(29_000));
        assert!(!duplicates.must_ask(PLACE, RECENTLY, at(38_000)));
    }

    #[test]
    fn who_answered_is_forgotten_when_the_group_runs_all_the_same() {
        let mut duplicates = Duplicates::default();
        duplicates.ask(PLACE, vec![vip()], (true, false), at(0));
        play(&mut duplicates, 0, |address| {
            (address == vip()).then_some(OTHER)
        });
        let known = [PLACE];
        assert!(!duplicates.forget(&known, RECENTLY, at(1000)));
        duplicates.ask(PLACE, vec![vip()], (false, false), at(1000));
        duplicates.peer_says(PLACE, Role::Active, RECENTLY, at(1000));
        assert!(duplicates.forget(&known, RECENTLY, at(1000)));
        assert_eq!(duplicates.taken(PLACE), None);
        assert!(!duplicates.asks(), "nobody wants to know any more");
    }

    #[test]
    fn answers_that_may_be_lost_are_none() {
        let mut duplicates = Duplicates::default();
        duplicates.ask(PLACE, vec![vip()], (true, false), at(0));
        duplicates.due(at(0));
        duplicates.due(at(100));
        let answers = duplicates.answers(|_| (false, false), |_| false, at(2000));
        assert!(matches!(answers[..], [(_, Answer::Missed)]));
        assert!(!duplicates.cancel(PLACE));
    }
}

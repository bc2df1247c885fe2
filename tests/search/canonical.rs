//! Histories with the same future made the same state.
//!
//! - **Times** are relative to now. What is older than [`PAST`] intervals is that old: nothing the core
//!   looks back to lies further (the longest is the detection time plus two intervals; of an address,
//!   whose intervals are half a second at least, the age at which its renewal is late). What lies further
//!   ahead than [`AHEAD`] is that near, so longer pauses last five intervals here; what lies
//!   beyond [`NEVER`] stays there.
//! - **Incarnations** are numbered by age, the living ones; **sequences** are ranked within their
//!   incarnation. The core only compares them with each other.
//! - A **heartbeat under way** keeps of its echo whether it reaches the round of its receiver: later
//!   rounds begin with later sequences.
//! - The **tags** of wishes are numbered in the order in which they are met: the core only compares them too.
//! - What is only shown is forgotten. The limit on moves, the trial of the disk and the patience with orders are left
//!   out.

use super::bounds::Bounds;
use super::world::{Mind, NOW, SIDES, World};
use ha_appliance::core::Node;
use ha_appliance::core::canonical::Mark;
use ha_appliance::core::time::Time;
use ha_appliance::wire::heartbeat::{Echo, Side, Wish, WishSubject};
use std::sync::Arc;

const PAST: i64 = -6;
const AHEAD: i64 = 5;
const NEVER: i64 = 3_600_000_000;

/// Shifts a node into the past by so many microseconds, and forgets what has no future.
pub fn age(node: &mut Node, by: i64, bounds: &Bounds) {
    let interval = bounds.interval().as_micros() as i64;
    let (past, ahead) = (PAST * interval, AHEAD * interval);
    let past = if bounds.raw { i64::MIN } else { past };
    let ahead = if bounds.limits { i64::MAX } else { ahead };
    node.times(&mut |time| {
        let at = if time.0 >= NEVER {
            NEVER
        } else {
            time.0.saturating_sub(by).min(ahead)
        };
        *time = Time(NOW.0 + at.max(past));
    });
    node.fencing_times(&mut |time| time.0 -= by);
    node.order_times(&mut |time| time.0 = time.0.max(PAST * interval));
    if !bounds.limits {
        node.leave_out(NOW);
    }
    if !bounds.raw {
        node.forget(NOW);
    }
}

/// Numbers everything anew and loses the heartbeats that cannot matter any more.
pub fn renumber(world: &mut World, bounds: &Bounds) {
    for from in SIDES {
        lose(world, from, bounds);
        if !bounds.raw {
            reduce(world, from);
        }
    }
    if !bounds.raw {
        SIDES
            .into_iter()
            .for_each(|whose| rank(world, whose, bounds.replays));
    }
    for letters in &mut world.wire {
        letters.sort_by_key(|l| (l.heartbeat.incarnation, l.heartbeat.sequence));
    }
    if bounds.wishes && !bounds.raw {
        name_wishes(world);
    }
}

/// Names the tags of wishes anew, in the order in which they are met: all that is done with them is to compare
/// those of one wish and side.
fn name_wishes(world: &mut World) {
    let mut known: Vec<(WishSubject, usize, u32)> = vec![];
    let mut renamed = |wishes: &mut [Wish]| {
        let mut changed = false;
        for wish in wishes {
            for (side, given) in wish.given.iter_mut().enumerate() {
                let Some(given) = given else { continue };
                let of_this = |k: &&(WishSubject, usize, u32)| (k.0, k.1) == (wish.subject, side);
                let mut of_same = known.iter().filter(of_this);
                let place = of_same.position(|k| k.2 == given.tag);
                let name = place.unwrap_or_else(|| {
                    let count = known.iter().filter(of_this).count();
                    known.push((wish.subject, side, given.tag));
                    count
                });
                changed |= given.tag != name as u32;
                given.tag = name as u32;
            }
        }
        changed
    };
    for seat in &mut world.seats {
        if let Some(mind) = &seat.mind {
            let mut node = mind.node.clone();
            node.wishes(&mut |wishes| {
                renamed(wishes);
            });
            if node != mind.node {
                seat.mind = Some(Arc::new(Mind::new(node)));
            }
        }
        let records = [
            Some(&mut seat.disk),
            seat.older.as_mut(),
            seat.writing.as_mut(),
        ];
        for record in records.into_iter().flatten() {
            let mut wishes = record.wishes.clone();
            if renamed(&mut wishes) {
                Arc::make_mut(record).wishes = wishes;
            }
        }
    }
    for letter in world.wire.iter_mut().flatten() {
        let mut wishes = letter.heartbeat.wishes.clone();
        if renamed(&mut wishes) {
            let mut heartbeat = (*letter.heartbeat).clone();
            heartbeat.wishes = wishes;
            letter.rewrite(heartbeat);
        }
    }
}

/// Loses the heartbeats from a side that its peer would ignore.
fn lose(world: &mut World, from: Side, bounds: &Bounds) {
    let receiver = world.seats[from.other() as usize].mind.as_deref();
    if let (Some(mind), false) = (receiver, bounds.replays) {
        let believed = mind.mark(Mark::Believed);
        let retired = |incarnation| {
            mind.marks
                .iter()
                .any(|(m, e)| *m == Mark::Retired && e.incarnation == incarnation)
        };
        world.wire[from as usize].retain(|letter| {
            let (incarnation, sequence) = (letter.heartbeat.incarnation, letter.heartbeat.sequence);
            !(retired(incarnation)
                || incarnation == believed.incarnation && sequence <= believed.sequence)
        });
    }
}

/// Keeps of every echo whether it reaches its receiver's round, or the newest that waits for its echo.
fn reduce(world: &mut World, from: Side) {
    let receiver = world.seats[from.other() as usize].mind.as_deref();
    let waiting = receiver.map(Waiting::of).unwrap_or_default();
    for letter in &mut world.wire[from as usize] {
        let heartbeat = &letter.heartbeat;
        let echo = waiting.reached(heartbeat.echo);
        // As a stranger's its echo proves as much, but is not counted.
        let strangers = heartbeat.challenges.iter();
        let stranger = strangers
            .map(|echo| waiting.reached(*echo))
            .filter(|stranger| stranger.sequence > echo.sequence)
            .max_by_key(|stranger| stranger.sequence);
        let challenges: Vec<Echo> = stranger.into_iter().collect();
        if (heartbeat.echo, heartbeat.heard_paths) != (echo, 0)
            || heartbeat.challenges != challenges
        {
            let mut heartbeat = (**heartbeat).clone();
            (heartbeat.echo, heartbeat.heard_paths) = (echo, 0);
            heartbeat.challenges = challenges;
            letter.rewrite(heartbeat);
        }
    }
}

/// What of a side's own heartbeats waits for its echo.
#[derive(Clone, Copy, Default)]
struct Waiting {
    round: Echo,
    newest: Echo,
}

impl Waiting {
    fn of(mind: &Mind) -> Waiting {
        Waiting {
            round: mind.mark(Mark::Round),
            newest: mind.mark(Mark::Newest),
        }
    }

    /// As an echo it reaches one of them or none.
    fn reached(&self, echo: Echo) -> Echo {
        let reaches = |sent: &Echo| {
            sent.sequence > 0
                && echo.incarnation == sent.incarnation
                && echo.sequence >= sent.sequence
        };
        let reached = [self.newest, self.round].into_iter().find(reaches);
        reached.unwrap_or_default()
    }
}

/// Names one side's heartbeats anew, wherever they are named.
fn rank(world: &mut World, whose: Side, replays: bool) {
    let ranks = Ranks::of(world, whose, replays);
    for side in SIDES {
        let seat = world.seat_mut(side);
        let Some(mind) = &seat.mind else { continue };
        let theirs = |mark| side_of(mark, side) != whose;
        if mind
            .marks
            .iter()
            .all(|(mark, echo)| theirs(*mark) || ranks.of_mark(*mark, *echo) == Some(*echo))
        {
            continue;
        }
        let mut node = mind.node.clone();
        node.marks(&mut |mark, echo| {
            if theirs(mark) {
                return true;
            }
            let rank = ranks.of_mark(mark, *echo);
            *echo = rank.unwrap_or_default();
            rank.is_some()
        });
        seat.mind = Some(Arc::new(Mind::new(node)));
    }
    for letter in &mut world.wire[whose as usize] {
        let named = Echo {
            incarnation: letter.heartbeat.incarnation,
            sequence: letter.heartbeat.sequence,
        };
        let rank = ranks.find(named).expect("a heartbeat under way is ranked");
        if rank != named {
            let mut heartbeat = (*letter.heartbeat).clone();
            (heartbeat.incarnation, heartbeat.sequence) = (rank.incarnation, rank.sequence);
            letter.rewrite(heartbeat);
        }
    }
    for letter in &mut world.wire[whose.other() as usize] {
        let name = |echo: &Echo| ranks.find(*echo).unwrap_or_default();
        let echo = name(&letter.heartbeat.echo);
        let challenges: Vec<Echo> = letter.heartbeat.challenges.iter().map(name).collect();
        if (echo, &challenges) != (letter.heartbeat.echo, &letter.heartbeat.challenges) {
            let mut heartbeat = (*letter.heartbeat).clone();
            (heartbeat.echo, heartbeat.challenges) = (echo, challenges);
            letter.rewrite(heartbeat);
        }
    }
}

/// Whose heartbeats a number in a side's node counts.
fn side_of(mark: Mark, side: Side) -> Side {
    match mark {
        Mark::Sent | Mark::Round | Mark::Newest | Mark::Proof | Mark::Decided => side,
        Mark::Believed | Mark::Said | Mark::Stranger | Mark::Retired => side.other(),
    }
}

/// The new numbers of one side's heartbeats.
struct Ranks {
    whose: Side,
    /// Every number whose place among the others matters, in order.
    all: Vec<Echo>,
    /// Its living incarnation and the last heartbeat that sent, and what waits for its echo.
    sent: Echo,
    waiting: Waiting,
    /// Incarnations of which something is under way.
    under_way: Vec<u64>,
    replays: bool,
}

impl Ranks {
    fn of(world: &World, whose: Side, replays: bool) -> Ranks {
        let own = world.seat(whose).mind.as_deref();
        let sent = own.map(|m| m.mark(Mark::Sent)).unwrap_or_default();
        let waiting = own.map(Waiting::of).unwrap_or_default();
        let letters = &world.wire[whose as usize];
        let under_way: Vec<u64> = letters.iter().map(|l| l.heartbeat.incarnation).collect();
        let mut all: Vec<Echo> = letters
            .iter()
            .map(|l| Echo {
                incarnation: l.heartbeat.incarnation,
                sequence: l.heartbeat.sequence,
            })
            .collect();
        // The living incarnation counts, and the one that is believed.
        all.push(Echo {
            sequence: 0,
            ..sent
        });
        all.extend([waiting.round, waiting.newest]);
        let other = world.seat(whose.other()).mind.as_deref();
        let believed = other.map(|m| m.mark(Mark::Believed)).unwrap_or_default();
        all.push(Echo {
            sequence: if replays { believed.sequence } else { 0 },
            ..believed
        });
        // A stranger is remembered for a while, whatever became of it.
        let strangers = other.iter().flat_map(|mind| &mind.marks);
        let strangers = strangers.filter(|(mark, _)| *mark == Mark::Stranger);
        all.extend(strangers.map(|(_, stranger)| Echo {
            sequence: 0,
            ..*stranger
        }));
        all.retain(|e| e.incarnation != 0);
        all.sort_by_key(|e| (e.incarnation, e.sequence));
        all.dedup();
        Ranks {
            whose,
            all,
            sent,
            waiting,
            under_way,
            replays,
        }
    }

    /// The number's new name; None: it may be forgotten.
    fn of_mark(&self, mark: Mark, echo: Echo) -> Option<Echo> {
        let living = echo.incarnation == self.sent.incarnation;
        match mark {
            _ if echo.incarnation == 0 => Some(echo),
            // What comes is above all there is, so it need not stand out itself.
            Mark::Sent => self.find(echo).map(|e| Echo {
                sequence: e.sequence.max(echo.sequence.min(1)),
                ..e
            }),
            Mark::Proof if echo.sequence > 0 => self.first(echo),
            // Once sent it began a round, and so is below every later proof.
            Mark::Decided if echo.sequence <= self.sent.sequence => self.first(echo),
            Mark::Decided => {
                let sent = self.of_mark(Mark::Sent, self.sent)?;
                Some(Echo {
                    sequence: sent.sequence + 1,
                    ..sent
                })
            }
            Mark::Round | Mark::Newest | Mark::Proof => self.find(echo),
            // Every heartbeat under way is above it (the others were lost): its echo is what matters.
            Mark::Believed if !self.replays => self.find(self.reach(echo, living)),
            Mark::Believed => self.find(echo),
            Mark::Said => Some(Echo {
                incarnation: self.incarnation(echo.incarnation).unwrap_or(1),
                sequence: 0,
            }),
            Mark::Stranger if living => self.find(self.reach(echo, living)),
            Mark::Stranger => self.find(Echo {
                sequence: 0,
                ..echo
            }),
            Mark::Retired => {
                let incarnation = self.incarnation(echo.incarnation)?;
                self.under_way.contains(&echo.incarnation).then_some(Echo {
                    incarnation,
                    sequence: 0,
                })
            }
        }
    }

    /// As an echo it reaches what waits for one, or it does not.
    fn reach(&self, echo: Echo, living: bool) -> Echo {
        let reached = self.waiting.reached(echo);
        let reaches = living && reached.sequence > 0;
        Echo {
            sequence: if reaches { reached.sequence } else { 0 },
            ..echo
        }
    }

    fn first(&self, echo: Echo) -> Option<Echo> {
        let incarnation = self.incarnation(echo.incarnation)?;
        let sequence = 1;
        Some(Echo {
            incarnation,
            sequence,
        })
    }

    fn find(&self, echo: Echo) -> Option<Echo> {
        let incarnation = self.incarnation(echo.incarnation)?;
        if echo.sequence == 0 {
            return Some(Echo {
                incarnation,
                ..echo
            });
        }
        let before = |e: &&Echo| {
            e.incarnation == echo.incarnation && (1..=echo.sequence).contains(&e.sequence)
        };
        Some(Echo {
            incarnation,
            sequence: self.all.iter().filter(before).count() as u64,
        })
    }

    fn incarnation(&self, incarnation: u64) -> Option<u64> {
        let mut older = self
            .all
            .iter()
            .map(|e| e.incarnation)
            .take_while(|i| *i <= incarnation)
            .collect::<Vec<_>>();
        older.dedup();
        (older.last() == Some(&incarnation)).then_some(10 * older.len() as u64 + self.whose as u64)
    }
}

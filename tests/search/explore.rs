//! Breadth first, level by level, on every core there is: the first violation found has the shortest
//! trace. Of a state seen only the fingerprint stays, and the move that led to it.

use super::check::Broken;
use super::heal::Healer;
use super::moves::{Move, Rules, next};
use super::world::{Mind, World};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a search found.
pub struct Found {
    pub states: u64,
    pub transitions: u64,
    pub depth: usize,
    /// Every state within the bounds was seen.
    pub closed: bool,
    pub broken: Option<(Broken, Vec<Move>)>,
    pub time: Duration,
    /// States from which recovery was tried, and those of them that a failed stop blocks.
    pub healed: (u64, u64),
}

/// Searches until everything was seen, something is broken, or there are more states than that.
/// From one in `sample` states, recovery is tried (0: from none).
pub fn explore(rules: &Rules, cap: u64, sample: u64) -> Found {
    let began = Instant::now();
    let seen = Sharded::default();
    let minds = Minds::default();
    let healer = Healer::new(*rules);
    let transitions = AtomicU64::new(0);
    let root = healer.root();
    seen.insert(root.print());
    let mut log: Vec<(u32, Option<Move>)> = vec![(0, None)];
    let mut frontier = vec![(0, root)];
    let mut found = Found {
        states: 1,
        transitions: 0,
        depth: 0,
        closed: false,
        broken: None,
        time: Duration::ZERO,
        healed: (0, 0),
    };
    while !frontier.is_empty() && found.broken.is_none() && found.states < cap {
        let stop = AtomicBool::new(false);
        let taken = AtomicUsize::new(0);
        let broken = Mutex::new(None);
        let work = || {
            let mut fresh = Vec::new();
            let mut count = 0;
            loop {
                let from = taken.fetch_add(64, Ordering::Relaxed);
                if from >= frontier.len() || stop.load(Ordering::Relaxed) {
                    break;
                }
                for (id, world) in &frontier[from..frontier.len().min(from + 64)] {
                    let report = |what: Broken, last: Option<Move>| {
                        stop.store(true, Ordering::Relaxed);
                        broken.lock().unwrap().get_or_insert((what, *id, last));
                    };
                    if sample > 0
                        && (world.print() as u64).is_multiple_of(sample)
                        && let Err(what) = healer.heal(world)
                    {
                        report(what, None);
                    }
                    next(world, rules, &mut |m, outcome| {
                        count += 1;
                        match outcome {
                            Ok(mut world) => {
                                if seen.insert(world.print()) {
                                    minds.share(&mut world);
                                    fresh.push((*id, m, world));
                                }
                            }
                            Err(what) => report(what, Some(m)),
                        }
                    });
                }
            }
            transitions.fetch_add(count, Ordering::Relaxed);
            fresh
        };
        let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
        let fresh: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .flat_map(|w| w.join().unwrap())
                .collect()
        });
        found.broken =
            broken
                .into_inner()
                .unwrap()
                .map(|(what, id, last): (Broken, u32, Option<Move>)| {
                    let mut moves = path(&log, id);
                    moves.extend(last);
                    (what, moves)
                });
        minds.forget();
        frontier = Vec::with_capacity(fresh.len());
        for (parent, m, world) in fresh {
            frontier.push((log.len() as u32, world));
            log.push((parent, Some(m)));
        }
        found.states = log.len() as u64;
        found.depth += 1;
        if std::env::var_os("SEARCH_LEVELS").is_some() {
            println!(
                "level {} frontier {} states {} {:?}",
                found.depth,
                frontier.len(),
                found.states,
                began.elapsed()
            );
        }
    }
    found.closed = frontier.is_empty() && found.broken.is_none();
    found.transitions = transitions.into_inner();
    found.time = began.elapsed();
    found.healed = healer.counts();
    found
}

fn path(log: &[(u32, Option<Move>)], mut id: u32) -> Vec<Move> {
    let mut moves = vec![];
    while let (parent, Some(m)) = log[id as usize] {
        moves.push(m);
        id = parent;
    }
    moves.reverse();
    moves
}

/// A set of fingerprints that many threads may add to.
pub struct Sharded(Vec<Mutex<HashSet<u128, BuildHasherDefault<Low>>>>);

impl Default for Sharded {
    fn default() -> Sharded {
        Sharded((0..256).map(|_| Mutex::default()).collect())
    }
}

impl Sharded {
    /// True: it was not there.
    pub fn insert(&self, print: u128) -> bool {
        self.0[(print >> 120) as usize]
            .lock()
            .unwrap()
            .insert(print)
    }

    pub fn contains(&self, print: u128) -> bool {
        self.0[(print >> 120) as usize]
            .lock()
            .unwrap()
            .contains(&print)
    }
}

/// A fingerprint is its own hash.
#[derive(Default)]
pub struct Low(u64);

impl Hasher for Low {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are hashed");
    }
    fn write_u128(&mut self, n: u128) {
        self.0 = n as u64;
    }
}

/// Minds of the level under way: many worlds share each, and memory with it.
#[derive(Default)]
struct Minds(Mutex<HashMap<u128, Arc<Mind>, BuildHasherDefault<Low>>>);

impl Minds {
    fn share(&self, world: &mut World) {
        let mut minds = self.0.lock().unwrap();
        for mind in world.seats.iter_mut().filter_map(|s| s.mind.as_mut()) {
            *mind = minds
                .entry(mind.print())
                .or_insert_with(|| mind.clone())
                .clone();
        }
    }

    fn forget(&self) {
        self.0.lock().unwrap().clear();
    }
}

//! Breadth first, level by level, on every core there is: the first violation found has the shortest
//! trace. Of a state seen only the fingerprint stays, and the move that led to it.

use super::check::Broken;
use super::endure::endure;
use super::heal::Healer;
use super::moves::{Move, Rules, next};
use super::world::{Mind, World};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// From one in so many states recovery is tried, and what happens while one fault lasts (0: from none).
#[derive(Clone, Copy)]
pub struct Samples {
    pub heal: u64,
    pub endure: u64,
}

/// Searches until everything was seen, something is broken, or there are more states than that.
pub fn explore(rules: &Rules, cap: u64, samples: Samples) -> Found {
    let began = Instant::now();
    let seen = Sharded::default();
    let minds = Minds::default();
    let healer = Healer::new(*rules);
    let transitions = AtomicU64::new(0);
    let root = healer.root();
    seen.insert(root.print());
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    let logs: Vec<Mutex<Log>> = (0..workers).map(|_| Mutex::default()).collect();
    let mut frontier = vec![vec![(Id::ROOT, root)]];
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
        let chunks = Mutex::new(frontier);
        let broken = Mutex::new(None);
        let work = |worker: usize| {
            let mut log = logs[worker].lock().unwrap();
            let (mut fresh, mut chunk) = (vec![], Vec::with_capacity(CHUNK));
            let mut count = 0;
            while let Some(worlds) = (!stop.load(Ordering::Relaxed))
                .then(|| chunks.lock().unwrap().pop())
                .flatten()
            {
                for (id, world) in worlds {
                    let report = |what: Broken, last: Option<u16>| {
                        stop.store(true, Ordering::Relaxed);
                        broken.lock().unwrap().get_or_insert((what, id, last));
                    };
                    let dice = world.print() as u64;
                    let chosen = |one_in: u64| one_in > 0 && dice.is_multiple_of(one_in);
                    let tried = match (chosen(samples.heal), chosen(samples.endure)) {
                        (true, false) => healer.heal(&world),
                        (false, true) => endure(&world, rules),
                        (true, true) => healer.heal(&world).and_then(|_| endure(&world, rules)),
                        (false, false) => Ok(()),
                    };
                    if let Err(what) = tried {
                        report(what, None);
                    }
                    let mut ordinal = 0;
                    next(&world, rules, &mut |_, outcome| {
                        match outcome {
                            Ok(mut world) => {
                                if seen.insert(world.print()) {
                                    minds.share(&mut world);
                                    chunk.push((log.add(worker, id, ordinal), world));
                                    if chunk.len() == CHUNK {
                                        fresh.push(std::mem::replace(
                                            &mut chunk,
                                            Vec::with_capacity(CHUNK),
                                        ));
                                    }
                                }
                            }
                            Err(what) => report(what, Some(ordinal)),
                        }
                        count += 1;
                        ordinal += 1;
                    });
                }
            }
            transitions.fetch_add(count, Ordering::Relaxed);
            if !chunk.is_empty() {
                fresh.push(chunk);
            }
            fresh
        };
        frontier = std::thread::scope(|scope| {
            let work = &work;
            let workers: Vec<_> = (0..workers).map(|w| scope.spawn(move || work(w))).collect();
            workers
                .into_iter()
                .flat_map(|w| w.join().unwrap())
                .collect()
        });
        found.broken = broken
            .into_inner()
            .unwrap()
            .map(|(what, id, last)| (what, path(&logs, &healer, id, last)));
        minds.forget();
        found.states += frontier.iter().map(|c| c.len() as u64).sum::<u64>();
        found.depth += 1;
        if std::env::var_os("SEARCH_LEVELS").is_some() {
            println!(
                "level {} states {} {:?}",
                found.depth,
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

/// Worlds that one worker takes at a time.
const CHUNK: usize = 16;

/// A state's place in the logs: the worker that found it, and the how manieth of that worker.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Id(u32);

impl Id {
    const ROOT: Id = Id(u32::MAX);
    /// Workers at most.
    const WORKERS: u32 = 16;
}

/// How each state was found: from which, and by the how manieth of its moves. Played again this gives
/// the moves, so they need not be kept.
#[derive(Default)]
struct Log(Vec<(Id, u16)>);

impl Log {
    fn add(&mut self, worker: usize, parent: Id, ordinal: u16) -> Id {
        let id = self.0.len() as u32 * Id::WORKERS + worker as u32;
        self.0.push((parent, ordinal));
        Id(id)
    }
}

/// The moves that led to a state, and the one that broke something there.
fn path(logs: &[Mutex<Log>], healer: &Healer, mut id: Id, last: Option<u16>) -> Vec<Move> {
    let mut ordinals: Vec<u16> = last.into_iter().collect();
    while id != Id::ROOT {
        let (worker, place) = (id.0 % Id::WORKERS, id.0 / Id::WORKERS);
        let (parent, ordinal) = logs[worker as usize].lock().unwrap().0[place as usize];
        ordinals.push(ordinal);
        id = parent;
    }
    let mut world = healer.root();
    let mut moves = vec![];
    for wanted in ordinals.into_iter().rev() {
        let mut ordinal = 0;
        let mut after = None;
        next(&world, healer.rules(), &mut |m, outcome| {
            if ordinal == wanted {
                moves.push(m);
                after = outcome.ok();
            }
            ordinal += 1;
        });
        world = after.unwrap_or(world);
    }
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

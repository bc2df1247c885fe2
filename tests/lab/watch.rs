//! Who held which VIP, from when to when: the lab's judge.
//!
//! Address events of both nodes arrive in one kernel queue ([`crate::rtnl::AddressFeed`]), so an
//! overlap is decided by their order and only its length depends on when they were read. A node
//! whose power is cut holds nothing from that instant on, whatever its kernel still believes.

use crate::net::{Host, NODES, Net};
use crate::rtnl::{AddressEvent, AddressFeed};
use crate::sys::{self, Micros, now};
use crate::topology::Topology;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// What happened to a VIP on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Added,
    /// Its lifetime was set again.
    Renewed,
    /// Its lifetime was made so short that it must be about to be handed over.
    Ceded,
    /// It was deleted, or the kernel ended it.
    Deleted,
    /// The node lost its power.
    PowerCut,
}

/// One [`Change`].
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// When it was read.
    pub at: Micros,
    /// On which node.
    pub host: Host,
    /// Which address.
    pub address: IpAddr,
    /// What.
    pub change: Change,
}

/// An address that both nodes held at once.
#[derive(Clone, Copy, Debug)]
pub struct Overlap {
    /// Which address.
    pub address: IpAddr,
    /// From when both held it.
    pub from: Micros,
    /// Until when.
    pub until: Micros,
    /// One of them had ceded it before, and did not renew it.
    pub handed_over: bool,
}

/// Watches all nodes it is told to follow.
pub struct Watch {
    topology: &'static Topology,
    state: Arc<Mutex<State>>,
    over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    hosts: HashMap<i32, Host>,
    holding: BTreeSet<(Host, IpAddr)>,
    events: Vec<Event>,
    numbers: i32,
    /// An overlap no longer than that may be one of the stamps alone.
    resolution: Duration,
}

impl Watch {
    /// Starts watching from the switch's namespace.
    pub fn start(net: &Net) -> io::Result<Watch> {
        let feed = AddressFeed::open(&net.switch_netns())?;
        let topology = net.topology;
        let state = Arc::new(Mutex::new(State {
            numbers: 100,
            ..State::default()
        }));
        let over = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let (state, over) = (state.clone(), over.clone());
            move || {
                sys::realtime();
                while !over.load(Ordering::Relaxed) {
                    let events = feed.next(20).expect("the address feed keeps up");
                    let mut state = state.lock().expect("no panic while held");
                    for event in events.iter().filter(|e| topology.is_vip(e.address)) {
                        state.note_of_namespace(event);
                    }
                }
            }
        });
        Ok(Watch {
            topology,
            state,
            over,
            reader: Some(reader),
        })
    }

    /// Follows a node; it must be numbered before it has any cable.
    pub fn follow(&self, net: &Net, host: Host) -> io::Result<()> {
        let mut state = self.state();
        state.numbers += 1;
        net.number(host, state.numbers)?;
        let number = state.numbers;
        state.hosts.insert(number, host);
        Ok(())
    }

    /// From now on stamps come from clocks that are known to within so much.
    pub fn set_resolution(&self, resolution: Duration) {
        self.state().resolution = resolution;
    }

    /// Notes what a node tells of an address, with the time at which it was so.
    pub fn told(&self, at: Micros, host: Host, address: IpAddr, present: bool, valid: u32) {
        if self.topology.is_vip(address) {
            self.state().note(at, host, address, present, valid);
        }
    }

    /// The node lost its power now.
    pub fn power_cut(&self, host: Host) {
        let mut state = self.state();
        state.hosts.retain(|_, h| *h != host);
        let held: Vec<_> = state
            .holding
            .iter()
            .filter(|(h, _)| *h == host)
            .copied()
            .collect();
        for (host, address) in held {
            state.holding.remove(&(host, address));
            state.events.push(Event {
                at: now(),
                host,
                address,
                change: Change::PowerCut,
            });
        }
    }

    /// The nodes that hold an address now.
    pub fn holders(&self, address: &str) -> Vec<Host> {
        let address: IpAddr = address.parse().expect("an address");
        let state = self.state();
        NODES
            .into_iter()
            .filter(|&host| state.holding.contains(&(host, address)))
            .collect()
    }

    /// How many VIPs a node holds now.
    pub fn held_by(&self, host: Host) -> usize {
        self.state()
            .holding
            .iter()
            .filter(|(h, _)| *h == host)
            .count()
    }

    /// A node's name.
    pub fn name(&self, host: Host) -> &'static str {
        self.topology.name(host)
    }

    /// Everything that happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    /// Every time both nodes held the same address.
    pub fn overlaps(&self) -> Vec<Overlap> {
        let mut events = self.events();
        // What several nodes tell arrives in any order.
        events.sort_by_key(|event| event.at);
        let resolution = self.state().resolution.as_micros() as u64;
        let mut found = overlaps(&events, now());
        found.retain(|overlap| overlap.until - overlap.from > resolution);
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl State {
    fn note_of_namespace(&mut self, event: &AddressEvent) {
        if let Some(&host) = self.hosts.get(&event.netns) {
            self.note(now(), host, event.address, event.present, event.valid);
        }
    }

    fn note(&mut self, at: Micros, host: Host, address: IpAddr, present: bool, valid: u32) {
        let change = match (present, self.holding.contains(&(host, address))) {
            (true, true) if valid <= CEDED => Change::Ceded,
            (true, true) => Change::Renewed,
            (true, false) => Change::Added,
            (false, _) => Change::Deleted,
        };
        if present {
            self.holding.insert((host, address));
        } else {
            self.holding.remove(&(host, address));
        }
        self.events.push(Event {
            at,
            host,
            address,
            change,
        });
    }
}

/// The lifetime, in seconds, of what is being handed over; otherwise VIPs live longer.
const CEDED: u32 = 2;

fn overlaps(events: &[Event], end: Micros) -> Vec<Overlap> {
    // Who holds it, and whether it was ceded there.
    let mut holding: HashMap<IpAddr, BTreeMap<Host, bool>> = HashMap::new();
    let mut both: HashMap<IpAddr, Overlap> = HashMap::new();
    let mut found = Vec::new();
    for event in events {
        let holders = holding.entry(event.address).or_default();
        match event.change {
            Change::Added | Change::Renewed => holders.insert(event.host, false),
            Change::Ceded => holders.insert(event.host, true),
            Change::Deleted | Change::PowerCut => holders.remove(&event.host),
        };
        if holders.len() > 1 {
            let ceded = holders.values().any(|ceded| *ceded);
            let overlap = both.entry(event.address).or_insert(Overlap {
                address: event.address,
                from: event.at,
                until: end,
                handed_over: true,
            });
            overlap.handed_over &= ceded;
        } else if let Some(overlap) = both.remove(&event.address) {
            found.push(Overlap {
                until: event.at,
                ..overlap
            });
        }
    }
    found.extend(both.into_values());
    found.sort_by_key(|overlap| overlap.from);
    found
}

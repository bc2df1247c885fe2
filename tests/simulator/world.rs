//! Both machines and what is between them, on virtual time. Nothing here decides anything: it lets
//! time pass, carries what was sent, and wakes a daemon when something is there or due.

use super::defect::Defect;
use super::device::{self, Asked, Device};
use super::machine::{Ambush, Machine, Pause, Where};
use super::net::{GOOD, Medium, Network, Topology};
use super::rng::Rng;
use super::safety::Safety;
use super::story::Story;
use ha_appliance::core::Node;
use ha_appliance::core::event::{Action, Answer, Change, Event, Op, Report};
use ha_appliance::core::peer::VERSIONS;
use ha_appliance::core::setup::{GroupSetup, Setup};
use ha_appliance::core::time::Time;
use ha_appliance::id::{GatewayId, Place, VifId};
use ha_appliance::wire::heartbeat::{GatewayReport, Role, Versions, VifReport};
use ha_appliance::wire::{Keyring, decode};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::rc::Rc;

/// Both machines and the network.
pub struct World {
    pub now: i64,
    pub rng: Rng,
    pub machines: [Machine; 2],
    pub network: Network,
    pub topology: Topology,
    /// The media of the paths, and those that are there.
    pub paths: Vec<Medium>,
    pub media: Vec<Medium>,
    /// What the operator wants in both files: now, and in the end.
    pub files: [Setup; 2],
    pub plan: [Setup; 2],
    pub keys: Keyring,
    pub defect: Option<Defect>,
    pub safety: Safety,
    pub story: Story,
    /// Datagrams sent, per sender, for an attacker to replay.
    pub taped: [Vec<Rc<[u8]>>; 2],
    queue: BinaryHeap<Reverse<(i64, u64, usize)>>,
    items: Vec<Option<Item>>,
    free: Vec<usize>,
    count: u64,
    /// Time with all of group 0 running and in reach of its clients, and time a lone machine would have
    /// had, for each.
    pub served: i64,
    pub lone: [i64; 2],
    /// Steps taken.
    pub steps: u64,
    /// Steps taken at one moment: too many, and somebody wakes for nothing for ever.
    stuck_at: i64,
    stuck: u32,
    /// When each daemon was woken last, and how often in a row within a moment of the time before.
    woken: [(i64, u32); 2],
    /// Services' jobs begun.
    pub jobs: u64,
    /// What each machine has to switch the other off.
    pub devices: [Vec<Device>; 2],
    /// How many orders to switch it off are about to be carried out.
    pub doomed: [u32; 2],
    /// A machine that was switched off is switched on as soon as that is verified.
    pub returns: bool,
}

/// Something that will happen.
#[derive(Clone, Debug)]
pub enum Item {
    /// A heartbeat arrives.
    Datagram {
        to: usize,
        path: usize,
        sent: i64,
        bytes: Rc<[u8]>,
    },
    /// An event for a daemon, if it is still that one.
    Daemon {
        to: usize,
        life: u64,
        event: Event,
    },
    /// An event for whatever daemon runs there then: from the kernel or the LAN.
    Machine {
        to: usize,
        event: Event,
    },
    /// A write ends.
    Written {
        of: usize,
        life: u64,
        fails: bool,
    },
    /// A service's start or stop ends.
    Operated {
        of: usize,
        life: u64,
        number: u64,
        end: Event,
        on: Option<bool>,
    },
    /// A service dies, if it runs then.
    Dies {
        of: usize,
        group: usize,
        resource: usize,
    },
    /// The watch finds a service that was said to be stopped, if it runs then.
    Found {
        of: usize,
        group: usize,
        resource: usize,
    },
    /// What a daemon asks a device is on its way there; it answers; a machine goes off by its order.
    Asked(Asked),
    Answered {
        asked: Asked,
        answer: Answer,
    },
    GoesOff {
        of: usize,
    },
    /// A machine that was switched off is switched on, if the other does not prevent that.
    Returns {
        of: usize,
        tries: u32,
    },
    /// Power returns, or the daemon is started again.
    Start {
        of: usize,
        boot: bool,
    },
    /// A pause ends.
    Resume {
        of: usize,
    },
    /// The operator writes a file and reloads it.
    Reload {
        of: usize,
    },
    /// The operator installs another version and restarts the daemon.
    Upgrade {
        of: usize,
        to: Versions,
    },
    /// Chaos strikes.
    Strike,
    /// A fault of the network or the environment ends.
    Mend(Mend),
}

impl Item {
    /// Chaos, or the operator, will do it.
    fn is_planned(&self) -> bool {
        matches!(
            self,
            Item::Strike | Item::Mend(_) | Item::Reload { .. } | Item::Upgrade { .. }
        )
    }
}

/// What a passing fault leaves.
#[derive(Clone, Copy, Debug)]
pub enum Mend {
    Wire(Medium, usize),
    /// Of a machine: the index of the gateway, or of the VIP interface.
    Gateway(usize, usize),
    Carrier(usize, usize),
    Disk(usize),
    Agents(usize),
    Devices(usize),
}

impl World {
    pub fn new(seed: u64, setups: [Setup; 2], topology: Topology) -> World {
        let mut rng = Rng::new(seed);
        let machines = setups.clone().map(|setup| {
            let ppm = rng.between(-10_000, 10_000);
            Machine::new(setup, &topology, ppm)
        });
        World {
            now: 0,
            safety: Safety::new(machines[0].setup.groups.iter().map(|g| g.id).collect()),
            machines,
            network: [[GOOD; 2]; 4],
            paths: topology.paths(),
            media: topology.media(),
            topology,
            files: setups.clone(),
            plan: setups,
            keys: Keyring::new(vec![b"a key for simulated heartbeats".to_vec()]).unwrap(),
            defect: None,
            story: Story::default(),
            taped: [vec![], vec![]],
            queue: BinaryHeap::new(),
            items: vec![],
            free: vec![],
            count: 0,
            served: 0,
            lone: [0; 2],
            steps: 0,
            stuck_at: 0,
            stuck: 0,
            woken: [(0, 0); 2],
            jobs: 0,
            devices: [vec![], vec![]],
            doomed: [0; 2],
            returns: true,
            rng,
        }
    }

    /// Something will happen `after` microseconds from now.
    pub fn later(&mut self, after: i64, item: Item) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.items.push(None);
            self.items.len() - 1
        });
        self.items[slot] = Some(item);
        self.count += 1;
        self.queue
            .push(Reverse((self.now + after.max(0), self.count, slot)));
    }

    /// Lets time pass. Stops early once the checker found something.
    pub fn run_until(&mut self, end: i64) -> Vec<Item> {
        let mut struck = vec![];
        while self.safety.broken.is_none() && struck.is_empty() {
            let queued = self.queue.peek().map(|Reverse((at, _, _))| *at);
            let [a, b] = [0, 1].map(|m| self.due(m));
            let at = [queued, a, b]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(end)
                .max(self.now);
            self.pass(at.min(end));
            if at > end {
                break;
            }
            self.expire();
            // Everything that is there is read before a daemon judges silence.
            if queued.is_some_and(|q| q <= at) {
                let Reverse((_, _, slot)) = self.queue.pop().unwrap();
                self.free.push(slot);
                let item = self.items[slot].take().unwrap();
                match item {
                    Item::Strike | Item::Mend(_) => struck.push(item),
                    item => self.happen(item),
                }
            } else {
                for m in 0..2 {
                    if self.machines[m].awake() && self.due(m).is_some_and(|d| d <= at) {
                        self.tick(m);
                    }
                }
            }
            self.observe();
        }
        struck
    }

    /// Forgets what chaos has planned.
    pub fn end_chaos(&mut self) {
        for item in &mut self.items {
            if item.as_ref().is_some_and(Item::is_planned) {
                *item = Some(Item::Resume { of: 2 });
            }
        }
    }

    /// Starts a daemon on a machine that is on, or switches the machine on.
    pub fn start(&mut self, m: usize) {
        let now = self.now;
        let boots = !self.machines[m].powered;
        if self.machines[m].node.is_some()
            || matches!(self.machines[m].paused, Some(Pause::Machine { .. }))
        {
            return;
        }
        if boots {
            let ppm = self.machines[m].ppm;
            let uptime = self.rng.between(1_000_000, 20_000_000);
            let machine = &mut self.machines[m];
            machine.powered = true;
            machine.paused = None;
            machine.clock = super::clock::Clock::new(now, uptime, ppm);
        }
        let incarnation = self.rng.bits() | 1;
        let file = self.machines[m].file.clone();
        self.configure(m, file);
        let machine = &mut self.machines[m];
        machine.speaks = machine.installed;
        machine.life += 1;
        let local = machine.clock.local(now);
        self.story.tell(now, Some(m), || {
            format!(
                "the daemon starts{}",
                if boots { " after power-on" } else { "" }
            )
        });
        let mut node = Node::new(
            local,
            machine.setup.clone(),
            incarnation,
            machine.disk.record.clone(),
            "sim",
        );
        if !boots {
            node = node.restarted(&machine.marks, machine.noted);
        }
        let vifs = 0..self.topology.lans.len();
        let reports = vifs.map(|vif| VifReport {
            id: VifId(vif as u64),
            mac: mac(m, vif),
            address: [192, 0, 2 + vif as u8, 1 + m as u8].into(),
            gateway: GatewayReport::default(),
        });
        node.describe_vifs(&reports.collect::<Vec<_>>());
        machine.node = Some(node);
        let carriers: Vec<Event> = (machine.carriers.iter().enumerate())
            .map(|(vif, up)| Event::Carrier {
                vif: VifId(vif as u64),
                up: *up,
            })
            .collect();
        self.safety.started(now, m, &self.machines[m], boots);
        self.feed(m, Event::LinkUp);
        let gateways = self.topology.gateways.iter().enumerate();
        let gateways = gateways.map(|(index, vif)| gateway(index, *vif));
        self.feed(m, Event::Gateways(gateways.collect()));
        for event in carriers {
            self.feed(m, event);
        }
        self.feed(m, Event::Tick);
    }

    /// A configuration comes into force.
    fn configure(&mut self, m: usize, setup: Setup) {
        let machine = &mut self.machines[m];
        let known: Vec<bool> = (0..machine.kernel.len())
            .map(|g| machine.place(g).is_some())
            .collect();
        machine.rhythm.includes(&setup);
        machine.setup = setup;
        machine.let_go();
        for (group, known) in known.into_iter().enumerate() {
            if known && self.machines[m].place(group).is_none() {
                self.safety.forgets(m, group);
            }
        }
    }

    /// The daemon dies; what it started stays until the kernel ends it.
    pub fn kill(&mut self, m: usize) {
        let lands = self.rng.chance(0.5);
        self.machines[m].end_daemon(lands);
    }

    /// The machine dies, with all that runs on it.
    pub fn power_off(&mut self, m: usize) {
        self.kill(m);
        let machine = &mut self.machines[m];
        machine.powered = false;
        machine.paused = None;
        machine.marks.clear();
        machine.noted = None;
        machine
            .kernel
            .iter_mut()
            .flatten()
            .for_each(|r| *r = Default::default());
        machine.jobs.clear();
    }

    /// Stops a process, or a whole machine.
    pub fn pause(&mut self, m: usize, pause: Pause, span: i64) {
        if self.machines[m].paused.is_none() && self.machines[m].powered {
            self.machines[m].paused = Some(pause);
            self.later(span, Item::Resume { of: m });
        }
    }

    /// Gives a daemon an event, when it can read it.
    pub fn feed(&mut self, m: usize, event: Event) {
        let machine = &mut self.machines[m];
        if machine.node.is_none() {
            return;
        }
        if machine.paused.is_some() {
            let room = match machine.paused {
                Some(Pause::Machine { .. }) => 32,
                _ => 300,
            };
            let bounded = matches!(
                event,
                Event::Heartbeat { .. } | Event::Claim { .. } | Event::Pong { .. }
            );
            if !bounded || machine.inbox.len() < room {
                machine.inbox.push(event);
            }
            return;
        }
        machine.pending.push_back(event);
        self.work(m);
    }

    /// Brings a fault's end, or a repair, to the daemon's notice.
    pub fn set_carrier(&mut self, m: usize, vif: usize, up: bool) {
        if self.machines[m].carriers[vif] != up {
            self.machines[m].carriers[vif] = up;
            let vif = VifId(vif as u64);
            self.feed(m, Event::Carrier { vif, up });
        }
    }

    /// The quality of what a sender's medium does now, its port included.
    pub fn wire(&self, medium: Medium, from: usize) -> super::net::Quality {
        let mut quality = self.network[medium as usize][from];
        let mut vifs = (0..self.topology.lans.len()).filter(|v| self.topology.lans[*v] == medium);
        if vifs.any(|vif| !self.machines.iter().all(|m| m.carriers[vif])) {
            quality.cut = true;
        }
        quality
    }

    /// A pause ends: first what the interrupted step still had to do, then everything that is there
    /// in the order in which the shell reads it, then time is judged.
    pub fn resume(&mut self, m: usize) {
        let now = self.now;
        let Some(pause) = self.machines[m].paused.take() else {
            return;
        };
        self.story.tell(now, Some(m), || "runs again".into());
        if let Pause::Machine { since, clock_stops } = pause
            && clock_stops
        {
            self.machines[m].clock.stood_still(since, now);
        }
        self.expire();
        if self.defect == Some(Defect::LatePutBack) {
            self.put_back_late(m);
        }
        while let Some(action) = self.machines[m].held.pop_front() {
            self.act(m, action);
        }
        let mut inbox = std::mem::take(&mut self.machines[m].inbox);
        let groups = self.machines[m].catalogue.clone();
        inbox.sort_by_key(|event| class(event, &groups));
        self.machines[m].pending.extend(inbox);
        self.work(m);
        if self.machines[m].awake() && self.due(m).is_some_and(|d| d <= now) {
            self.tick(m);
        }
    }

    fn put_back_late(&mut self, m: usize) {
        let Some(node) = &self.machines[m].node else {
            return;
        };
        let groups = node.view().groups;
        for group in 0..self.machines[m].kernel.len() {
            let place = self.machines[m].place(group);
            if place.is_some_and(|at| groups[at].role == Role::Active) {
                super::agents::renew(self, m, group, false);
            }
        }
        self.observe();
    }

    /// Everything of this moment that the daemon has in hand.
    fn work(&mut self, m: usize) {
        while self.machines[m].awake() {
            let Some(event) = self.machines[m].pending.pop_front() else {
                break;
            };
            self.step(m, event);
        }
    }

    fn step(&mut self, m: usize, event: Event) {
        let now = self.now;
        if let Event::Setup(setup) = &event {
            self.configure(m, (**setup).clone());
        }
        let machine = &mut self.machines[m];
        let local = machine.clock.local(now);
        let Some(node) = &mut machine.node else {
            return;
        };
        let mut actions = node.step(local, event);
        self.steps += 1;
        if now - self.stuck_at > 10_000 {
            (self.stuck_at, self.stuck) = (now, 0);
        }
        self.stuck += 1;
        if self.stuck > 20_000 {
            self.safety.broken.get_or_insert(format!(
                "at {:.6}: time stands still for {m}",
                now as f64 / 1e6
            ));
            machine.pending.clear();
            return;
        }
        let here = |at| match at {
            Where::Anywhere => actions.iter().any(weighty),
            Where::Handover => actions.iter().any(hands_over),
        };
        let ambush = machine.ambush.filter(|(_, at)| here(*at)).map(|(it, _)| it);
        let stop_at = ambush.map(|_| self.rng.below(actions.len() + 1));
        let rest = stop_at.map(|at| actions.split_off(at));
        for action in actions {
            self.act(m, action);
        }
        if let (Some(ambush), Some(rest)) = (ambush, rest) {
            self.machines[m].ambush = None;
            match ambush {
                Ambush::Kill => {
                    self.story
                        .tell(now, Some(m), || "the daemon dies inside a step".into());
                    self.kill(m);
                    let after = self.rng.between(100_000, 6_000_000);
                    self.later(after, Item::Start { of: m, boot: false });
                }
                Ambush::Pause(span) => {
                    self.story.tell(now, Some(m), || {
                        format!("stalls inside a step for {} ms", span / 1000)
                    });
                    self.machines[m].held = rest.into();
                    self.pause(m, Pause::Process, span);
                }
            }
        }
    }

    fn act(&mut self, m: usize, action: Action) {
        self.story.act(self.now, m, &action);
        if self.machines[m].node.is_none() {
            return;
        }
        self.safety.acts(self.now, m, &self.machines, &action);
        if self.doomed[1 - m] > 0 {
            self.safety
                .agrees_with_dying(self.now, m, &self.machines[m], &action);
        }
        super::agents::act(self, m, action);
        self.observe();
    }

    fn tick(&mut self, m: usize) {
        let (at, turns) = self.woken[m];
        let turns = if self.now - at <= AT_ONCE {
            turns + 1
        } else {
            0
        };
        self.woken[m] = (self.now, turns);
        if turns > TURNS {
            let at = self.now as f64 / 1e6;
            let how = format!("at {at:.6}: {m} is woken again and again, and does nothing");
            self.safety.broken.get_or_insert(how);
        }
        let drained = self.defect != Some(Defect::NeverDrained);
        let event = if drained { Event::Tick } else { Event::LinkUp };
        self.machines[m].pending.push_back(event);
        self.work(m);
    }

    fn happen(&mut self, item: Item) {
        let now = self.now;
        match item {
            Item::Datagram {
                to,
                path,
                sent,
                bytes,
            } => {
                if self.machines[to].node.is_none() {
                    return;
                }
                let Ok(mut heartbeat) = decode(&bytes, &self.keys) else {
                    self.safety.broken = Some("a datagram does not decode".into());
                    return;
                };
                match self.defect {
                    Some(Defect::UndoneWishes) => {
                        let given = heartbeat.wishes.iter_mut().flat_map(|w| &mut w.given);
                        given.flatten().for_each(|given| given.taken_back = true);
                    }
                    Some(Defect::NoEcho) => {
                        heartbeat.echo = Default::default();
                        heartbeat.challenges.clear();
                    }
                    _ => {}
                }
                let understood = self.machines[to].understands(heartbeat.versions);
                heartbeat.versions = if understood { VERSIONS } else { FOREIGN };
                if self.machines[to].awake() && understood {
                    self.safety.informs(now, to, sent);
                }
                let heartbeat = Box::new(heartbeat);
                self.feed(to, Event::Heartbeat { path, heartbeat });
            }
            Item::Daemon { to, life, event } => {
                if self.machines[to].life == life {
                    self.feed(to, event);
                }
            }
            Item::Machine { to, event } => self.feed(to, event),
            Item::Written { of, life, fails } => {
                let machine = &mut self.machines[of];
                if machine.life != life {
                    return;
                }
                let record = machine.disk.writing.take().expect("one write at a time");
                if !fails && self.defect != Some(Defect::LyingDisk) {
                    machine.disk.land(record);
                }
                machine.disk.failed |= fails;
                let outcome = match fails {
                    false => ha_appliance::core::event::Outcome::Done,
                    true => {
                        ha_appliance::core::event::Outcome::Failed("no space left on device".into())
                    }
                };
                let op = Op::Persist;
                self.feed(of, Event::Finished { op, outcome });
            }
            Item::Operated {
                of,
                life,
                number,
                end,
                on,
            } => {
                let jobs = &mut self.machines[of].jobs;
                let Some(at) = jobs.iter().position(|job| job.number == number) else {
                    return;
                };
                let job = jobs.swap_remove(at);
                self.machines[of].worked = now;
                match on {
                    Some(on) => super::agents::land(self, of, job, on),
                    None if job.lies => super::agents::lie(self, of, job.group, job.resource),
                    None => {}
                }
                if self.machines[of].life == life {
                    self.feed(of, end);
                }
            }
            Item::Dies {
                of,
                group,
                resource,
            } => {
                let it = &self.machines[of].kernel[group][resource];
                if it.on && self.machines[of].kernel_runs() {
                    self.story
                        .tell(now, Some(of), || format!("{group}.{resource} dies"));
                    super::agents::die(self, of, group, resource);
                }
            }
            Item::Found {
                of,
                group,
                resource,
            } => {
                let it = &self.machines[of].kernel[group][resource];
                if it.on && it.lied.is_some() {
                    let place = self.machines[of].name(group, resource);
                    self.feed(of, Event::Appeared { place });
                }
            }
            Item::Asked(asked) => device::asked(self, asked),
            Item::Answered { asked, answer } => device::answered(self, asked, answer),
            Item::GoesOff { of } => device::goes_off(self, of),
            Item::Returns { of, tries } => device::returns(self, of, tries),
            Item::Start { of, .. } if self.safety.shots.off[of] => device::returns(self, of, 60),
            Item::Start { of, boot } => {
                if boot || self.machines[of].powered {
                    self.start(of);
                }
            }
            Item::Reload { of } => super::reload::reload(self, of),
            Item::Upgrade { of, to } => super::reload::upgrade(self, of, to),
            Item::Resume { of } if of < 2 => self.resume(of),
            Item::Resume { .. } | Item::Strike | Item::Mend(_) => {}
        }
    }

    /// When something on the machine is due by itself: its daemon's deadline, its kernel's timers.
    fn due(&self, m: usize) -> Option<i64> {
        let machine = &self.machines[m];
        if !machine.kernel_runs() {
            return None;
        }
        let deadline = machine
            .node
            .as_ref()
            .filter(|_| machine.paused.is_none())
            .map(|n| n.deadline());
        let leases = machine.kernel.iter().flatten().filter_map(|r| r.until);
        let first = leases.chain(deadline).min()?;
        Some(machine.clock.when(first))
    }

    /// The kernels end what was not renewed, and tell the daemons.
    fn expire(&mut self) {
        let now = self.now;
        let mut ended = vec![];
        for m in 0..2 {
            if !self.machines[m].kernel_runs() {
                continue;
            }
            let local: Time = self.machines[m].clock.local(now);
            for (group, resources) in self.machines[m].kernel.iter_mut().enumerate() {
                for (resource, it) in resources.iter_mut().enumerate() {
                    if it.until.is_some_and(|until| until <= local) {
                        it.until = None;
                        if self.defect == Some(Defect::ImmortalVip) {
                            continue;
                        }
                        it.on = false;
                        self.story.tell(now, Some(m), || {
                            format!("the kernel ends the VIP of group {group}")
                        });
                        ended.push((m, group, resource));
                    }
                }
            }
        }
        for (m, group, resource) in ended {
            let place = self.machines[m].name(group, resource);
            let why = "expired".into();
            self.feed(m, Event::Lost { place, why });
        }
    }

    fn pass(&mut self, to: i64) {
        let span = to - self.now;
        if span == 0 {
            return;
        }
        let reach = [0, 1].map(|m| {
            let machine = &self.machines[m];
            let mut vifs = machine.catalogue[0].vifs.iter();
            machine.kernel_runs() && vifs.all(|vif| machine.reaches(vif.0 as usize))
        });
        let serves = |m: usize| self.machines[m].vip(0).is_some() && self.machines[m].complete(0);
        if (0..2).any(|m| reach[m] && serves(m)) {
            self.served += span;
        }
        for (lone, reach) in self.lone.iter_mut().zip(reach) {
            *lone += if reach { span } else { 0 };
        }
        self.now = to;
        self.safety.watch(self.now, &self.machines);
    }

    /// Tells the checker what holds from now on.
    pub fn observe(&mut self) {
        let is_bad = |medium: Medium, from| self.wire(medium, from).is_bad();
        let bad = [0, 1].map(|from| self.media.iter().all(|it| is_bad(*it, from)));
        let lans = &self.topology.lans;
        let dead = |vif: &VifId| (0..2).any(|from| is_bad(lans[vif.0 as usize], from));
        let groups = self.machines[0].catalogue.iter();
        let mute: Vec<bool> = groups.map(|g| g.vifs.iter().all(dead)).collect();
        if self.safety.judges_shots {
            self.observe_shots();
        }
        self.safety.observe(self.now, &self.machines, bad, &mute);
        self.safety.watch(self.now, &self.machines);
    }
}

/// A daemon that wants to be woken at once asks for a microsecond later, by its own clock.
const AT_ONCE: i64 = 2;
/// More than that in a row nothing needs.
const TURNS: u32 = 50;

/// Wire versions that no simulated node speaks: what is announced by one that is not understood.
const FOREIGN: Versions = Versions {
    lowest: 99,
    highest: 99,
};

/// The hardware address of a machine's VIP interface.
pub fn mac(m: usize, vif: usize) -> [u8; 6] {
    [2, 0, 0, 0, vif as u8, 1 + m as u8]
}

/// The order in which the shell reads what is there. What happens to a service and what was done to
/// it come from one agent, in order.
fn class(event: &Event, groups: &[GroupSetup]) -> u8 {
    match event {
        Event::Lost { place, .. } | Event::Appeared { place } if !leased(groups, *place) => 2,
        Event::Lost { .. }
        | Event::Stopped { .. }
        | Event::Appeared { .. }
        | Event::Reinstalled { .. } => 0,
        Event::Setup(_) => 0,
        Event::LinkUp
        | Event::Gateways(_)
        | Event::Carrier { .. }
        | Event::Ready { .. }
        | Event::Lease { .. } => 1,
        Event::Finished { .. } | Event::Device { .. } => 2,
        Event::Heartbeat { .. } => 3,
        Event::Claim { .. } | Event::Unprobed(_) | Event::Unlistening => 4,
        Event::Pong { .. } | Event::Unasked(_) => 5,
        Event::Command { .. } | Event::Question { .. } => 6,
        Event::Tick => 7,
    }
}

fn leased(groups: &[GroupSetup], place: Place) -> bool {
    let mut groups = groups.iter().filter(|g| g.id == place.group);
    groups.any(|g| {
        let mut resources = g.resources.iter();
        resources.any(|r| r.id == place.resource && r.leased)
    })
}

/// What a gateway is known by.
fn gateway(index: usize, vif: usize) -> GatewayId {
    GatewayId {
        vif: VifId(vif as u64),
        address: [192, 0, 2, 100 + index as u8].into(),
    }
}

/// The index of a gateway.
pub fn gateway_at(id: GatewayId) -> usize {
    match id.address {
        IpAddr::V4(address) => usize::from(address.octets()[3] - 100),
        IpAddr::V6(_) => unreachable!("none has such an address"),
    }
}

/// The cession, and every change of the token.
fn hands_over(action: &Action) -> bool {
    matches!(
        action,
        Action::Cede(_)
            | Action::Report(Report {
                change: Change::Token(_),
                ..
            })
    )
}

/// A step worth an ambush: it does more than keep the rhythm.
fn weighty(action: &Action) -> bool {
    matches!(
        action,
        Action::Start(..)
            | Action::Stop(_)
            | Action::Renew { .. }
            | Action::Persist(_)
            | Action::Device { .. }
    ) || hands_over(action)
}

//! The devices that switch machines off, level by level: what they are asked, what they do about it, and what goes
//! wrong with them.
//!
//! A machine of which one was asked to switch it off is off within `off_time` of that, or stays on: as far as the
//! question did not leave too late, which whoever sends it has to see to. Status is what is true when it is read,
//! unless the device lies.

use super::defect::Defect;
use super::machine::Pause;
use super::world::{Item, World};
use ha_appliance::core::Node;
use ha_appliance::core::event::{Answer, Ask, Event};
use ha_appliance::core::time::Time;
use std::time::Duration;

/// One level, as one machine has it to switch the other off.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// It does not answer, though what it is asked may arrive.
    pub dead: bool,
    /// It takes its time.
    pub slow: bool,
    /// It reads off, whatever is true, and switches nothing off.
    pub lies: bool,
    /// A program of its own asks it, which outlives a daemon that dies, and runs on while one is paused.
    pub program: bool,
    /// What it is being asked, by which daemon.
    pub asking: Option<u64>,
    /// It read on last.
    pub on: bool,
}

/// What a machine of which a device was asked to switch it off has before it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub by: usize,
    pub life: u64,
    pub device: usize,
    pub ask: Ask,
    /// By its asker's clock, after which an off does not leave.
    pub until: Option<Time>,
}

/// So many levels a machine has at most.
pub const LEVELS: usize = 2;
/// After so long a dead device is called that.
const GIVEN_UP: i64 = 5_000_000;

/// A daemon asks.
pub fn ask(world: &mut World, m: usize, device: usize, ask: Ask) {
    let life = world.machines[m].life;
    let off_time = world.off_time(m);
    let it = &mut world.devices[m][device];
    if it.asking == Some(life) {
        let found = format!("{m} asks its device {device} while that has not answered");
        world.safety.broken.get_or_insert(found);
    }
    it.asking = Some(life);
    let longest = match (it.slow, ask) {
        (false, _) => Duration::from_millis(300),
        (true, Ask::Status) => Duration::from_secs(10),
        (true, Ask::Off) => off_time / 2,
    };
    let after = world.rng.skewed(Duration::from_millis(5), longest);
    // Whoever asks looks at the clock before it leaves.
    let soon = off_time * 9 / 20;
    let local = world.machines[m].clock.local(world.now);
    let until = (ask == Ask::Off).then(|| local + soon);
    if ask == Ask::Off {
        let (now, on) = (world.now, world.devices[m][device].on);
        world.safety.shoots(now, m, &world.machines, on);
    }
    let asked = Asked {
        by: m,
        life,
        device,
        ask,
        until,
    };
    world.later(after, Item::Asked(asked));
}

/// What was asked is on its way to the device.
pub fn asked(world: &mut World, asked: Asked) {
    let Asked {
        by: m,
        life,
        device,
        ..
    } = asked;
    let machine = &world.machines[m];
    let alone = machine.node.is_none() && machine.powered;
    let program = world.devices[m][device].program;
    if machine.life != life && !(program && alone) {
        return; // whoever asked is no more
    }
    let frozen = match machine.paused {
        Some(Pause::Machine { .. }) => true,
        Some(Pause::Process) => !program,
        None => false,
    };
    if frozen {
        world.later(10_000, Item::Asked(asked));
        return;
    }
    let late = asked
        .until
        .is_some_and(|by| machine.clock.local(world.now) > by);
    let mut it = world.devices[m][device].clone();
    let untold = world.defect == Some(Defect::LyingDevice) && m == 0;
    it.lies |= untold && world.safety.shots.shot[m];
    let powered = world.machines[1 - m].powered;
    let arrives = !it.dead || world.rng.chance(0.3);
    let mut answer = match asked.ask {
        Ask::Status if it.lies || !powered => Answer::Off,
        Ask::Status => Answer::On,
        Ask::Off if late => Answer::Failed("too late".into()),
        Ask::Off => Answer::Accepted,
    };
    if answer == Answer::Accepted && arrives && !it.lies && powered {
        let longest = world.off_time(m) / 2;
        let after = world.rng.skewed(Duration::from_millis(20), longest);
        world.doomed[1 - m] += 1;
        world.later(after, Item::GoesOff { of: 1 - m });
    }
    let mut after = world.rng.between(5_000, 100_000);
    if it.dead {
        (answer, after) = (Answer::Failed("no reply".into()), GIVEN_UP);
    }
    if answer == Answer::Off {
        world.safety.lied_to[m] = powered && !untold;
    }
    world.later(after, Item::Answered { asked, answer });
}

/// The answer is there.
pub fn answered(world: &mut World, asked: Asked, answer: Answer) {
    let Asked {
        by: m,
        life,
        device,
        ..
    } = asked;
    if world.machines[m].life != life {
        return;
    }
    let it = &mut world.devices[m][device];
    (it.asking, it.on) = (None, answer == Answer::On);
    world.feed(m, Event::Device { device, answer });
}

/// A machine goes off by the other's order. Whoever did it switches it on again once it is verified off, or a human
/// does; where it stays off by the file a human does that, later.
pub fn goes_off(world: &mut World, m: usize) {
    world.doomed[m] -= 1;
    if !world.machines[m].powered {
        return;
    }
    world
        .story
        .tell(world.now, Some(m), || "is switched off".into());
    let now = world.now;
    world.safety.killed(now, m);
    world.power_off(m);
    let wait = match world.returns {
        true => 500_000,
        false => world.rng.between(10_000_000, 90_000_000),
    };
    world.later(wait, Item::Returns { of: m, tries: 60 });
}

/// A machine that was switched off is switched on, unless the other still makes sure that it is off; after half a
/// minute a human does so all the same.
pub fn returns(world: &mut World, m: usize, tries: u32) {
    let other = &world.machines[1 - m];
    let gone = |node: &Node| node.peer_state().is_gone();
    let sure = !other.powered || other.node.as_ref().is_some_and(gone);
    world.safety.shots.unverified |= !sure && tries == 0 && !world.machines[m].powered;
    match sure || tries == 0 {
        true => world.start(m),
        false => {
            let tries = tries - 1;
            world.later(500_000, Item::Returns { of: m, tries })
        }
    }
}

impl World {
    fn off_time(&self, m: usize) -> Duration {
        let fencing = self.machines[m].setup.fencing;
        fencing.map_or(Duration::from_secs(4), |f| f.off_time)
    }

    /// Whatever the devices suffer from ends.
    pub fn mend_devices(&mut self, m: usize) {
        for it in &mut self.devices[m] {
            (it.dead, it.slow, it.lies) = (false, false, false);
        }
    }
}

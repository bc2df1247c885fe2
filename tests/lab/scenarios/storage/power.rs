//! Power that is lost at whatever moment, in whatever order, and comes back to one of them first.

use super::super::fencing::{protected_within, without_power};
use super::SHOT;
use super::pair::*;
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::Host;
use crate::status;
use crate::sys::{self, now};
use crate::system::System;
use crate::vm::Vms;
use crate::writer::Writer;
use std::time::Duration;

/// Of who serves, of the other, or of both, in either order; of two the one or the other comes back first, and may be told
/// that the other is off. `SEED` begins where a run began.
pub fn cuts(vms: &mut Vms) -> Outcome {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut chance = Chance(seed.unwrap_or_else(|| sys::random(1 << 32)));
    let (mut holder, _browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    for _ in 0..ROUNDS {
        let mut lost = |host| vms.node(host).hardware.lost_writes();
        let lost = lost(Host::A) + lost(Host::B);
        println!(
            "    power cut with SEED={}, {lost} writes lost so far",
            chance.0
        );
        let (first, both) = (host(chance.below(2)), chance.below(2) == 0);
        std::thread::sleep(chance.millis(3000));
        let from = lose(vms, first);
        if both {
            std::thread::sleep(match chance.below(2) {
                0 => chance.millis(100),
                _ => chance.millis(9000),
            });
            lose(vms, first.peer());
            let back = host(chance.below(2));
            gets_power(vms, back)?;
            let told = chance.below(2) == 0;
            alone(vms, back, told, &writer)?;
            gets_power(vms, back.peer())?;
        } else {
            writer.acknowledged_after(now(), SHOT)?;
            gets_power(vms, first)?;
        }
        holder = all_is_there(vms, &writer)?;
        vms.record.figure("power cut, stall", writer.stall(from));
        protected_within(vms, SHOT)?;
    }
    ends(vms, holder, &writer)
}

/// So often in one step.
const ROUNDS: usize = 5;

fn host(number: u64) -> Host {
    [Host::A, Host::B][number as usize]
}

fn lose(vms: &mut Vms, host: Host) -> sys::Micros {
    let name = vms.net.name(host);
    let at = vms.note(format!("{name} loses its power"));
    vms.node(host).die();
    at
}

fn gets_power(vms: &mut Vms, host: Host) -> Outcome {
    let name = vms.net.name(host);
    vms.note(format!("{name} has power again"));
    vms.node(host).switch_on()?;
    vms.node(host).booted()?;
    vms.daemon_answers(host)
}

/// Only one is back: it serves if it has all that was acknowledged, and says why it does not.
fn alone(vms: &mut Vms, back: Host, told: bool, writer: &Writer) -> Outcome {
    if told {
        let name = vms.net.name(back.peer());
        let line = format!("ha-appliance confirm-fenced {name} --yes");
        let told = vms.node(back).try_run(&line)?;
        vms.note(String::from_utf8_lossy(&told.stdout).into_owned());
    }
    let asked = now();
    while sys::since(asked) < SHOT {
        let status = status::read(vms.node(back)).unwrap_or_default();
        if status::active(&status, "web") {
            vms.note("it serves alone");
            return writer.check(&vms.on(back, "cat /mnt/data/records")?);
        }
        if sys::since(asked) > Duration::from_secs(10) && is_told_why(&status) {
            return stays_down(vms, back, Duration::from_secs(3));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Err("it neither serves nor says why".into())
}

/// Both are there again, and one serves with every record.
fn all_is_there(vms: &mut Vms, writer: &Writer) -> Outcome<Host> {
    let (holder, _browser) = vms.up()?;
    writer.acknowledged_after(now(), SHOT)?;
    ends(vms, holder, writer)?;
    Ok(holder)
}

/// As by an uninterruptible supply that gives up on one minutes before the other: only who went first returns, whose data
/// is old, whatever it is told of the other.
pub fn one_after_the_other(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    vms.note("the standby first");
    lose(vms, holder.peer());
    first_returns(vms, holder.peer(), &writer)?;
    vms.note("the holder first");
    let (holder, _browser) = vms.up()?;
    protected_within(vms, SHOT)?;
    lose(vms, holder);
    first_returns(vms, holder, &writer)?;
    protected_within(vms, SHOT)
}

/// The same by a clean shutdown of each.
pub fn shut_down(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    for first in [holder.peer(), holder] {
        let (serves, _browser) = vms.up()?;
        let name = vms.net.name(first);
        let which = if first == serves { "holder" } else { "standby" };
        vms.note(format!("{name}, the {which}, is shut down first"));
        vms.node(first).tell("systemctl poweroff")?;
        without_power(vms, first)?;
        writer.acknowledged_after(now(), SHOT)?;
        vms.node(first.peer()).tell("systemctl poweroff")?;
        without_power(vms, first.peer())?;
        gets_power(vms, first)?;
        stays_old(vms, first)?;
        gets_power(vms, first.peer())?;
        all_is_there(vms, &writer)?;
        protected_within(vms, SHOT)?;
    }
    Ok(())
}

/// One has no power, the other writes on, and has none either; the first is back.
fn first_returns(vms: &mut Vms, first: Host, writer: &Writer) -> Outcome {
    writer.acknowledged_after(now(), SHOT)?;
    std::thread::sleep(Duration::from_secs(3));
    lose(vms, first.peer());
    gets_power(vms, first)?;
    stays_old(vms, first)?;
    gets_power(vms, first.peer())?;
    let holder = all_is_there(vms, writer)?;
    ensure!(holder == first.peer(), "who has old data serves");
    Ok(())
}

/// Neither by itself nor by a word about the other node.
fn stays_old(vms: &mut Vms, host: Host) -> Outcome {
    stays_down(vms, host, Duration::from_secs(5))?;
    let name = vms.net.name(host.peer());
    vms.node(host)
        .try_run(&format!("ha-appliance confirm-fenced {name} --yes"))?;
    stays_down(vms, host, Duration::from_secs(5))
}

/// What is decided by chance, the same by the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        // As in Knuth's MMIX; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}

//! The commands. WHO is `first`, `second`, or where it says so `both`; a resource is called by its number in
//! the first group, as in what is written of it.
//!
//! **The file.** These change ha.toml on both nodes. Those before a `start` are what it starts with; those
//! after it wait for a `reload`.
//!
//! | | |
//! | --- | --- |
//! | `groups NAME[:PREFER[:FAILBACK]]...` | the groups there are, each a VIP at first; those there before stay as they are |
//! | `resources [of GROUP] KIND...` | what it consists of: `vip`, `service`, `both` (runs on both nodes), `data` (a disk). `KIND-NAME` is the same thing in whatever group |
//! | `lans [of GROUP] NAME...` | the VIP interfaces there are, or those on which its VIPs stand; each has a gateway. There is `lan` at first |
//! | `require all`, `interval SPAN`, `misses N`, `restarts N`, `expiry never`, `[no] devices [N]`, `devices are ID…`, `delay SPAN`, `wait_for_peer` | the keys |
//! | `only WHO` and one of these | in the file of that node only |
//!
//! **The daemons.** `start`, `reload` (WHO or `both`); `kill`, `freeze`, `thaw`, `wipe` (its disk), `power cut`.
//! `run SPAN` lets time pass.
//!
//! **The world.** `on`, `up`, `works`, `known` and `answered` are good; any other word is bad.
//!
//! | | |
//! | --- | --- |
//! | `heartbeats [from WHO] up` | on the interlink |
//! | `replay WHO to WHO` | the first heartbeat that it ever sent arrives there once more |
//! | `arp [of LAN] up`, `carrier [of LAN] of WHO up` | on the VIP interfaces |
//! | `gateway [GATEWAY] [of WHO] works` | whether it answers. A gateway is called as its interface, a further one there `LAN-2` |
//! | `gateways of WHO known`, `gateways of WHO are GATEWAY...` | what the routing table says |
//! | `disk of WHO works`, `start`, `stop`, `handover`; `starts of WHO take SPAN`, `stops`, `looks`; `disk of WHO takes SPAN`, `handover` (of running addresses); `starts of WHO are answered` | what is done to resources |
//! | `resource N of WHO dies`, `lacks WHAT`, `lags WHAT`, `is ready`, `is stopped by others`; `check of resource N of WHO fails`; `somebody starts resource N of WHO`; `already resource N of WHO` | what happens to them |
//! | `interlink up` | otherwise heartbeats take the LAN |
//! | `device [N] of WHO works`, `is dead`, `refuses`, `idles` (accepts, and does nothing), `deceives` (and reads off); `off takes SPAN`; `devices take SPAN` to answer; `boot WHO` (without a daemon) | what switches the other machine off, level N; how long that takes; it has power |
//! | `lease for WHO of SPAN` | a third party's |
//!
//! **The operator.** `failover [GROUP of] WHO [to WHO]`, `clear`, `standby`, `online`, `leave` WHO; `confirm-fenced WHO [despite-signs]`; `fence`, `rehearse` WHO (given to the other node);
//! `maintenance WHO on`; `stop-group`, `start-group [GROUP]` WHO.

use super::super::world::{self, Device, FOREVER, LAN, SIDES, World, index};
use ha_appliance::core::event::{Command, Extent};
use ha_appliance::core::setup::{Failback, FencingSetup, GroupSetup, ResourceSetup, Setup};
use ha_appliance::id::{GatewayId, GroupId, Place, ResourceId, VifId};
use ha_appliance::wire::heartbeat::Side;
use std::time::Duration;

/// Does what a line says; gives what is to be written of it beyond what the nodes do.
pub fn obey(world: &mut World, command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let edited = match words[..] {
        ["only", who, ref words @ ..] => {
            let it = edit(&mut world.machines[index(side(who))].file, words);
            assert!(it, "not in a file: {command}");
            it
        }
        ref words => world.machines.iter_mut().all(|m| edit(&mut m.file, words)),
    };
    let note = match edited {
        true => None,
        false => happen(world, &words),
    };
    // Also what the command itself led to.
    world.run(Duration::ZERO);
    note
}

/// A word about ha.toml; false: it is about something else.
fn edit(file: &mut Setup, words: &[&str]) -> bool {
    match *words {
        ["groups", ref groups @ ..] => {
            file.groups = groups.iter().map(|text| group(file, text)).collect();
        }
        ["resources", "of", name, ref kinds @ ..] => {
            in_group(file, name).resources = kinds.iter().map(|kind| resource(kind)).collect()
        }
        ["resources", ref kinds @ ..] => {
            file.groups[0].resources = kinds.iter().map(|kind| resource(kind)).collect()
        }
        ["lans", "of", name, ref lans @ ..] => {
            in_group(file, name).vifs = lans.iter().map(|name| lan(name)).collect()
        }
        ["lans", ref lans @ ..] => file.vifs = lans.iter().map(|name| lan(name)).collect(),
        ["require", "all"] => file.gateway.require_all = true,
        ["interval", time] => file.interval = span(time),
        ["misses", n] => file.misses = number(n) as u32,
        ["restarts", n] => {
            let resources = file.groups[0].resources.iter_mut();
            resources.for_each(|r| r.restarts = number(n) as u32);
        }
        ["expiry", "never"] => {
            let resources = file.groups[0].resources.iter_mut();
            resources.for_each(|r| r.fail_expiry = None);
        }
        ["devices"] => file.fencing = Some(world::fencing()),
        ["devices", "are", ref ids @ ..] => {
            let mut fencing = world::fencing();
            fencing.devices = ids.len();
            fencing
                .ids
                .iter_mut()
                .zip(ids.iter())
                .for_each(|(id, n)| *id = number(n) as u64);
            file.fencing = Some(fencing);
        }
        ["delay", time] => {
            if let Some(f) = &mut file.fencing {
                f.delay = span(time)
            }
        }
        ["no", "devices"] => file.fencing = None,
        ["devices", n] => {
            let devices = number(n);
            let fencing = world::fencing();
            file.fencing = Some(FencingSetup { devices, ..fencing });
        }
        ["wait_for_peer"] => file.wait_for_peer = true,
        _ => return false,
    }
    true
}

fn happen(world: &mut World, words: &[&str]) -> Option<String> {
    let good = |word: &str| matches!(word, "up" | "works" | "on" | "known" | "answered");
    match *words {
        ["start", "both"] => SIDES.into_iter().for_each(|s| world.start(s)),
        ["start", who] => world.start(side(who)),
        ["reload", "both"] => {
            let notes = SIDES.map(|s| reload(world, s));
            return notes.into_iter().flatten().reduce(|a, b| a + "\n" + &b);
        }
        ["reload", who] => return reload(world, side(who)),
        ["kill", who] => world.kill(side(who)),
        ["power", "cut", who] => world.power_cut(side(who)),
        ["wipe", who] => world.machines[index(side(who))].disk = Default::default(),
        ["freeze", who] => world.machines[index(side(who))].frozen = true,
        ["thaw", who] => world.machines[index(side(who))].frozen = false,
        ["run", time] => world.run(span(time)),

        ["heartbeats", state] => world.link = [good(state); 2],
        ["heartbeats", "from", who, state] => world.link[index(side(who))] = good(state),
        ["replay", from, "to", to] => world.replay(side(from), side(to)),
        ["arp", state] => world.set_arp(good(state)),
        ["arp", "of", name, state] => {
            match good(state) {
                true => world.mute.remove(&lan(name)),
                false => world.mute.insert(lan(name)),
            };
        }
        ["gateway", "of", who, state] => world.set_gateway(side(who), gateway("lan"), good(state)),
        ["gateway", name, "of", who, state] => {
            world.set_gateway(side(who), gateway(name), good(state))
        }
        ["gateway", state] => both(|s| world.set_gateway(s, gateway("lan"), good(state))),
        ["gateway", name, state] => both(|s| world.set_gateway(s, gateway(name), good(state))),
        ["gateways", "of", who, "are", ref names @ ..] => {
            let names = names.iter().map(|name| gateway(name)).collect();
            world.set_gateways(side(who), Some(names))
        }
        ["gateways", "of", who, state] => {
            world.set_gateways(side(who), (!good(state)).then(Vec::new))
        }
        ["disk", "of", who, "takes", time] => {
            world.machines[index(side(who))].disk_takes = span(time)
        }
        ["handover", "of", who, "takes", time] => {
            world.machines[index(side(who))].cede_takes = span(time)
        }
        ["handover", "of", who, state] => world.machines[index(side(who))].cede_works = good(state),
        ["carrier", "of", who, state] => world.set_carrier(side(who), LAN, good(state)),
        ["carrier", "of", name, "of", who, state] => {
            world.set_carrier(side(who), lan(name), good(state))
        }
        ["disk", "of", who, state] => world.machines[index(side(who))].disk_works = good(state),
        ["stop", "of", who, state] => world.machines[index(side(who))].stop_works = good(state),
        ["start", "of", who, state] => world.machines[index(side(who))].start_works = good(state),
        ["starts", "of", who, "are", state] => {
            world.machines[index(side(who))].starts_answered = good(state)
        }
        ["starts", "of", who, "take", time] => {
            world.machines[index(side(who))].start_takes = span(time)
        }
        ["stops", "of", who, "take", time] => {
            world.machines[index(side(who))].stop_takes = span(time)
        }
        ["looks", "of", who, "take", time] => {
            world.machines[index(side(who))].look_takes = span(time)
        }
        ["already", "resource", n, "of", who] => {
            let machine = &mut world.machines[index(side(who))];
            let (group, resources) = (&machine.file.groups[0], number(n));
            let (group, resource) = (group.id, group.resources[resources].id);
            machine.running.insert(Place { group, resource }, FOREVER);
        }
        ["check", "of", "resource", n, "of", who, "fails"] => {
            world.fail_check(side(who), world.place(0, number(n)))
        }
        ["resource", n, "of", who, ref what @ ..] => {
            let (who, place) = (side(who), world.place(0, number(n)));
            match *what {
                ["dies"] => world.switch(who, place, false),
                ["is", "stopped", "by", "others"] => world.stop_by_others(who, place),
                ["lacks", ref what @ ..] => {
                    world.ready(who, place, Some((what.join(" "), Extent::Entirely)))
                }
                ["lags", ref what @ ..] => {
                    world.ready(who, place, Some((what.join(" "), Extent::Handover)))
                }
                ["is", "ready"] => world.ready(who, place, None),
                _ => panic!("no such command: {words:?}"),
            }
        }
        ["somebody", "starts", "resource", n, "of", who] => {
            world.switch(side(who), world.place(0, number(n)), true)
        }
        ["interlink", state] => world.path = usize::from(!good(state)),
        ["device", "of", who, ref state @ ..] => world.devices[index(side(who))][0] = device(state),
        ["device", n, "of", who, ref state @ ..] => {
            world.devices[index(side(who))][number(n)] = device(state)
        }
        ["off", "takes", time] => world.off_takes = span(time),
        ["devices", "take", time] => world.device_takes = span(time),
        ["boot", who] => world.machines[index(side(who))].powered = true,
        ["lease", "for", who, "of", time] => world.lease(side(who), span(time)),

        ["failover", who] => world.command(side(who), 1, Command::Failover(None)),
        ["failover", name, "of", who] => {
            let group = Some(GroupId::of(name));
            world.command(side(who), 1, Command::Failover(group))
        }
        ["failover", who, "to", to] => world.command(side(who), 1, Command::MoveTo(None, side(to))),
        ["standby", who] => world.command(side(who), 2, Command::Standby(side(who), true)),
        ["online", who] => world.command(side(who), 3, Command::Standby(side(who), false)),
        ["maintenance", who, state] => {
            world.command(side(who), 4, Command::Maintenance(good(state)))
        }
        ["stop-group", who] => world.command(side(who), 5, stopped(world, None, true)),
        ["stop-group", name, who] => world.command(side(who), 5, stopped(world, Some(name), true)),
        ["start-group", who] => world.command(side(who), 5, stopped(world, None, false)),
        ["start-group", name, who] => {
            world.command(side(who), 5, stopped(world, Some(name), false))
        }
        ["clear", who] => world.command(side(who), 6, Command::Clear(None)),
        ["confirm-fenced", who] => world.command(side(who), 7, confirm(false)),
        ["confirm-fenced", who, "despite-signs"] => world.command(side(who), 7, confirm(true)),
        ["fence", who] => world.command(side(who).other(), 9, Command::Fence { rehearse: false }),
        ["rehearse", who] => world.command(side(who).other(), 9, Command::Fence { rehearse: true }),
        ["leave", who] => world.command(side(who), 8, Command::Leave),
        _ => panic!("no such command: {words:?}"),
    }
    None
}

fn device(state: &[&str]) -> Device {
    match *state {
        ["works"] => Device::Works,
        ["is", "dead"] => Device::Dead,
        ["refuses"] => Device::Refuses,
        ["idles"] => Device::Idles,
        ["deceives"] => Device::Deceives,
        _ => panic!("no such device: {state:?}"),
    }
}

fn reload(world: &mut World, side: Side) -> Option<String> {
    let name = super::name(side);
    let refused = !world.reload(side);
    refused.then(|| format!("!! {name} refuses its file: a group that is not in it runs"))
}

fn both(mut f: impl FnMut(Side)) {
    SIDES.into_iter().for_each(&mut f);
}

fn confirm(despite_signs: bool) -> Command {
    Command::ConfirmFenced { despite_signs }
}

fn stopped(world: &World, group: Option<&str>, on: bool) -> Command {
    let first = world.machines[0].setup.groups[0].id;
    Command::Stopped(group.map_or(first, GroupId::of), on)
}

/// The group as the file has it, or anew, with what is said of it.
fn group(file: &Setup, text: &str) -> GroupSetup {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let known = file.groups.iter().find(|g| g.id == GroupId::of(name));
    GroupSetup {
        prefer: parts.next().filter(|p| !p.is_empty()).map(side),
        failback: parts
            .next()
            .map_or(Failback::Manual, |s| Failback::After(span(s))),
        ..known.cloned().unwrap_or_else(|| world::group(name))
    }
}

fn in_group<'a>(file: &'a mut Setup, name: &str) -> &'a mut GroupSetup {
    let mut groups = file.groups.iter_mut();
    let group = groups.find(|g| g.id == GroupId::of(name));
    group.unwrap_or_else(|| panic!("no such group: {name}"))
}

fn resource(kind: &str) -> ResourceSetup {
    let setup = match kind.split('-').next() {
        Some("vip") => world::vip(),
        Some("service") => world::service(),
        Some("data") => ResourceSetup {
            data: true,
            restarts: 0,
            fail_expiry: None,
            ..world::service()
        },
        Some("both") => ResourceSetup {
            exclusive: false,
            ..world::service()
        },
        _ => panic!("no such resource: {kind}"),
    };
    let id = ResourceId::of(kind);
    ResourceSetup { id, ..setup }
}

fn lan(name: &str) -> VifId {
    match name {
        "lan" => LAN,
        other => VifId::of(other),
    }
}

fn gateway(name: &str) -> GatewayId {
    match name.split_once('-') {
        Some((name, n)) => world::gateway(lan(name), number(n) as u8),
        None => world::gateway(lan(name), 1),
    }
}

fn side(word: &str) -> Side {
    match word {
        "first" => Side::First,
        "second" => Side::Second,
        _ => panic!("no such node: {word}"),
    }
}

fn number(word: &str) -> usize {
    word.parse().unwrap_or_else(|_| panic!("no number: {word}"))
}

fn span(word: &str) -> Duration {
    let digits = word.trim_end_matches(char::is_alphabetic);
    let number = number(digits) as u64;
    match &word[digits.len()..] {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        unit => panic!("no such unit: {unit}"),
    }
}

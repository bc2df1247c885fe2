//! What fencing means, and how long it takes at worst.

use super::worst::{Term, announce, detection, persist, sum};
use crate::config::duration::show;
use crate::config::fencing::{After, Device, Fencing};
use crate::config::schema::Config;
use crate::wire::heartbeat::Side;
use std::fmt::Write;
use std::time::Duration;

/// Assumed time in which a device says whether its machine has power.
const READ: Duration = Duration::from_millis(200);

/// Who is switched off by what, and when.
pub(super) fn protection(out: &mut String, config: &Config, fencing: &Fencing) -> std::fmt::Result {
    writeln!(
        out,
        "  PROTECTED while the devices answer: a silent node is switched off, and read off twice, before\n  \
         its part is taken over; `ha-appliance status` says whether they do. Where none answers: BLOCKED."
    )?;
    for side in [Side::First, Side::Second] {
        let devices: Vec<String> = fencing.against(side).iter().map(told).collect();
        let name = &config.node(side).name;
        writeln!(
            out,
            "    {name} is switched off by {}",
            devices.join(", then ")
        )?;
    }
    let [first, second] = config.nodes.each_ref().map(|node| &node.name);
    let (patience, delay) = (show(fencing.patience), show(fencing.delay));
    writeln!(
        out,
        "  {first} shoots after {patience} of silence while it serves a group, else after 2 x {delay}; {second} after\n  \
         {delay}; each again 2 x {delay} later. One that serves nothing and knows no gateway leaves its first\n  \
         turn out. What was switched off {}.",
        match fencing.after {
            After::On => "is switched on again",
            After::Off => "stays off",
        }
    )
}

/// Until a silent node's VIPs and services run again on the other.
pub(super) fn worst(out: &mut String, config: &Config, fencing: &Fencing) -> std::fmt::Result {
    writeln!(out, "\nworst case until a silent node's groups run again")?;
    let settle = (
        "settle, and the second answer".to_owned(),
        fencing.settle + READ,
    );
    let taken: [Term; 2] = [persist(), announce()];
    let off = [
        detection(config),
        ("the device says off (assumed)".to_owned(), READ),
        settle.clone(),
    ];
    sum(
        out,
        "power loss of the active node, its device alive",
        &[&off[..], &taken].concat(),
    )?;
    let setup = fencing.setup(&[]);
    for (side, turns) in [(Side::Second, 1), (Side::First, 2)] {
        let terms = [
            (
                format!("its turn: {turns} x delay {}", show(fencing.delay)),
                fencing.delay * turns,
            ),
            detection(config),
            ("until it is off (assumed)".to_owned(), setup.off_time),
            settle.clone(),
        ];
        let title = format!(
            "the active node hangs, and {} takes over",
            config.node(side).name
        );
        sum(out, &title, &[&terms[..], &taken].concat())?;
    }
    Ok(())
}

fn told(device: &Device) -> String {
    match device {
        Device::Ipmi(ipmi) => format!("{device} as {}", ipmi.user),
        Device::Agent(_) => device.to_string(),
    }
}

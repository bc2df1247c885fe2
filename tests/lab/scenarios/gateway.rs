//! The gateway: its death must move nobody.

use crate::lab::{Lab, Outcome};
use crate::net::{Cut, Host, Port, Wire};
use crate::scenario::{Run::Nodes, Scenario};
use crate::toml::Settings;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "gateway-dead",
        shows: "the gateway dies, twenty times at a random phase: nobody moves, the client notices nothing",
        run: Nodes(gateway_dead),
        limit: (90, 300),
    },
    Scenario {
        name: "gateway-dead-defaults",
        shows: "the same once at the default timers",
        run: Nodes(gateway_dead_defaults),
        limit: (30, 30),
    },
];

/// Gateway timers that let twenty deaths pass in half a minute.
pub const GATEWAY_FAST: &str =
    "interval = \"200ms\"\ntimeout = \"100ms\"\nmisses = 3\ndampening = \"500ms\"";

fn gateway_dead(lab: &mut Lab) -> Outcome {
    let settings = Settings {
        gateway_more: GATEWAY_FAST.into(),
        ..Settings::default()
    };
    dies(
        lab,
        &settings,
        20,
        Duration::from_millis(1500),
        Duration::from_millis(900),
    )
}

fn gateway_dead_defaults(lab: &mut Lab) -> Outcome {
    dies(
        lab,
        &Settings::default(),
        1,
        Duration::from_secs(6),
        Duration::from_secs(6),
    )
}

fn dies(
    lab: &mut Lab,
    settings: &Settings,
    tries: usize,
    dead: Duration,
    pause: Duration,
) -> Outcome {
    let (holder, client) = lab.pair(settings)?;
    std::thread::sleep(pause);
    let from = lab.note("the pair is settled");
    for _ in 0..tries {
        lab.random_phase(Duration::from_millis(400));
        lab.note("the gateway dies");
        lab.net.cut(Port(Host::Gateway, Wire::Lan), Cut::Both)?;
        lab.nothing_moves(holder, dead)?;
        lab.net.mend()?;
        lab.note("the gateway is back");
        lab.nothing_moves(holder, pause)?;
    }
    client.noticed_nothing(from)?;
    Ok(())
}

//! What `[[fence]]` and `[fencing]` mean, as values.

mod read;
mod warn;

pub(super) use read::{fencing, is_secret};
pub(super) use warn::warn;

use super::schema::HeartbeatTimes;
use crate::agents::fence::ipmi::Account;
use crate::core::protocol::fencing::least_delay;
use crate::core::setup::{FencingSetup, MOST_DEVICES};
use crate::wire::heartbeat::{Side, hash};
use std::fmt;
use std::time::Duration;

/// The devices that switch the nodes off, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fencing {
    /// What switches each node off (index 0 is [`Side::First`]), the first level first; at least one for each.
    pub devices: [Vec<Device>; 2],
    /// Silence before anybody shoots.
    pub patience: Duration,
    /// Between the instants at which the two nodes may shoot.
    pub delay: Duration,
    /// Between the two answers that say off.
    pub settle: Duration,
    /// How long a machine may take to go off before it is asked again.
    pub off_deadline: Duration,
    /// What becomes of a machine that was switched off and read on before.
    pub after: After,
    /// How often the devices are asked for the power while all is well.
    pub probe: Duration,
}

/// What becomes of a machine that was switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It is switched on again.
    On,
    /// It stays off.
    Off,
}

/// What switches one node off, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// By our own IPMI client.
    Ipmi(Account),
    /// By a fence agent.
    Agent(Agent),
}

/// A fence agent, and what it is told beside the action.
#[derive(Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its name, or its whole path.
    pub name: String,
    /// Name and value, the passwords from their files among them.
    pub options: Vec<(String, String)>,
}

/// The most levels for one node.
pub const MAX_LEVELS: usize = MOST_DEVICES;

impl Fencing {
    /// Longer than a daemon's restart.
    pub const PATIENCE: Duration = Duration::from_secs(2);
    /// See [`Fencing::settle`].
    pub const SETTLE: Duration = Duration::from_secs(1);
    /// BMCs need more than 20 s now and then.
    pub const OFF_DEADLINE: Duration = Duration::from_secs(60);
    /// See [`Fencing::probe`].
    pub const PROBE: Duration = Duration::from_secs(120);

    /// What switches a node off.
    pub fn against(&self, side: Side) -> &[Device] {
        &self.devices[side as usize]
    }

    /// The least [`delay`](Self::delay) by which nobody is shot by whom it shot, in whole seconds.
    pub fn least_delay(&self, beat: &HeartbeatTimes) -> Duration {
        let least = least_delay(beat.detection_time(), beat.interval, &self.setup(&[]));
        Duration::from_secs(least.as_millis().div_ceil(1000) as u64)
    }

    /// What the core is to know, of so many devices.
    pub fn setup(&self, devices: &[Device]) -> FencingSetup {
        let mut ids = [0; MOST_DEVICES];
        (ids.iter_mut().zip(devices)).for_each(|(id, device)| *id = device.identity().max(1));
        let by_agent = |device: &Device| matches!(device, Device::Agent(_));
        let by_agent = self.devices.iter().flatten().any(by_agent);
        let (off_time, grace) = match by_agent {
            true => (OFF_TIME_BY_AGENT, GRACE_BY_AGENT),
            false => (OFF_TIME, GRACE),
        };
        FencingSetup {
            devices: devices.len(),
            ids,
            patience: self.patience,
            delay: self.delay,
            settle: self.settle,
            off_time,
            off_deadline: self.off_deadline,
            grace,
            lag: LAG,
        }
    }
}

/// An off leaves within so long of its instant, or not at all.
pub const OFF_LEAVES: Duration = Duration::from_secs(1);
/// The same of an agent: it has ended by then.
pub const OFF_LEAVES_BY_AGENT: Duration = Duration::from_secs(10);
/// That, and 4 s for the machine: some BMCs hold its power button for so long.
const OFF_TIME: Duration = Duration::from_secs(5);
/// That, and what a management controller or a cloud takes to do what it has accepted.
const OFF_TIME_BY_AGENT: Duration = Duration::from_secs(15);
/// A BMC forgets what it was asked within so long.
const GRACE: Duration = Duration::from_secs(60);
/// What stands behind an agent may have a queue.
const GRACE_BY_AGENT: Duration = Duration::from_secs(3600);
/// How far the run directory may lag behind the last contact: two small writes a second.
const LAG: Duration = Duration::from_millis(500);

impl Device {
    /// Tells it from every other one, and from itself if it is asked otherwise: without what is secret.
    pub fn identity(&self) -> u64 {
        let more = match self {
            Device::Ipmi(ipmi) => ipmi.user.clone(),
            Device::Agent(agent) => {
                let options = agent.options.iter().filter(|(name, _)| !is_secret(name));
                options
                    .map(|(name, value)| format!("{name}={value}\n"))
                    .collect()
            }
        };
        hash(&format!("{self}\n{more}"))
    }
}

impl fmt::Display for Device {
    /// As status and log name it: "ipmi 10.1.1.201".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Ipmi(ipmi) if ipmi.address.port() == PORT => {
                write!(f, "ipmi {}", ipmi.address.ip())
            }
            Device::Ipmi(ipmi) => write!(f, "ipmi {}", ipmi.address),
            Device::Agent(agent) => write!(f, "{}", agent.name),
        }
    }
}

impl fmt::Debug for Agent {
    /// Without what may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.options.iter().map(|(name, _)| name.as_str());
        write!(f, "{} {:?}", self.name, names.collect::<Vec<_>>())
    }
}

/// IPMI's port.
const PORT: u16 = 623;

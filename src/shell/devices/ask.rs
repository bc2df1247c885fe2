//! One device, whatever its kind: what it is asked, and what its answer says.

use super::clock;
use crate::agents::fence::agent::{self, Agent, Power};
use crate::agents::fence::ipmi::{Bmc, Failure, Line, Restore};
use crate::agents::program::Programs;
use crate::config::{self, Device, OFF_LEAVES, OFF_LEAVES_BY_AGENT};
use crate::core::event::Answer;
use crate::core::time::Time;
use std::time::{Duration, Instant};

/// A device that is asked.
pub(super) enum Asked<'a> {
    Ipmi(Line<'a>, &'a Bmc),
    Agent(&'a config::Agent, Option<Agent>, Programs),
}

/// What a device says of the power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// It answers: whether the machine has power, and the cipher suite.
    Power(bool, Option<String>),
    /// It does not.
    Failed {
        /// Why.
        why: String,
        /// The password is wrong: some devices lock a user out who tries too often.
        password: bool,
    },
}

impl Probed {
    /// It says that the machine has no power.
    pub fn is_off(&self) -> bool {
        matches!(self, Probed::Power(false, _))
    }

    /// For the core.
    pub fn answer(&self) -> Answer {
        match self {
            Probed::Power(true, _) => Answer::On,
            Probed::Power(false, _) => Answer::Off,
            Probed::Failed { why, .. } => Answer::Failed(why.clone()),
        }
    }
}

/// A BMC that answers at all has answered within so long.
const STATUS: Duration = Duration::from_secs(10);
/// An agent logs in anew each time, to a device that may be slow (fence_ipmilan calls a BMC dead after 20 s).
const STATUS_BY_AGENT: Duration = Duration::from_secs(25);

/// The BMC, if it is one.
pub(super) fn bmc(device: &Device) -> Option<Bmc> {
    match device {
        Device::Ipmi(account) => Some(Bmc::new(account.clone())),
        Device::Agent(_) => None,
    }
}

/// Asks a device for the power, once, and says what came of it: for who is no daemon.
pub async fn look(device: &Device) -> Result<String, String> {
    let began = Instant::now();
    let bmc = bmc(device);
    let own = std::env::current_exe().unwrap_or_else(|_| "ha-appliance".into());
    let mut asked = Asked::new(device, bmc.as_ref(), Programs::here(&own));
    let power = |on| if on { "on" } else { "off" };
    let told = match &mut asked {
        Asked::Ipmi(line, bmc) => {
            let chassis = line.status(STATUS).await.map_err(|e| e.to_string())?;
            let suite = bmc
                .spoken()
                .map_or(String::new(), |s| format!(", cipher suite {s}"));
            let restore = match chassis.restore {
                Restore::Off => "after a power cut it stays off",
                Restore::Previous => "after a power cut it is as it was before",
                Restore::On => "after a power cut it is switched on",
                Restore::Unknown => "what it does after a power cut the BMC does not know",
            };
            format!("the power is {}{suite}; {restore}", power(chassis.on))
        }
        Asked::Agent(..) => {
            let on = asked.status().await.map_err(|(why, _)| why)?;
            format!("the power is {}", power(on))
        }
    };
    let took = began.elapsed().as_millis();
    asked.rest().await;
    Ok(format!("{told}; answered in {took} ms"))
}

impl<'a> Asked<'a> {
    /// `bmc` is what [`bmc`] made of it.
    pub fn new(device: &'a Device, bmc: Option<&'a Bmc>, programs: Programs) -> Asked<'a> {
        match (device, bmc) {
            (Device::Ipmi(_), Some(bmc)) => Asked::Ipmi(Line::new(bmc), bmc),
            (Device::Agent(agent), _) => Asked::Agent(agent, None, programs),
            (Device::Ipmi(_), None) => unreachable!("a BMC was made of it"),
        }
    }

    /// Asks for the power.
    pub async fn power(&mut self) -> Probed {
        match self.status().await {
            Ok(on) => Probed::Power(on, self.suite()),
            Err((why, password)) => Probed::Failed { why, password },
        }
    }

    /// Orders the machine off, as was decided at that moment, while its instant is not long over.
    pub async fn off(&mut self, at: Time) -> Answer {
        let leaves = match self {
            Asked::Ipmi(..) => OFF_LEAVES,
            Asked::Agent(..) => OFF_LEAVES_BY_AGENT,
        };
        let left = leaves.saturating_sub(clock::now().since(at));
        if left.is_zero() {
            return Answer::Failed("its off was not sent: this node was too slow".into());
        }
        let ordered = match self {
            Asked::Ipmi(line, _) => {
                let ordered = line.off(Instant::now() + left).await;
                ordered.map_err(|e| e.to_string())
            }
            Asked::Agent(..) => self.order_off(left).await,
        };
        match ordered {
            Ok(()) => Answer::Accepted,
            Err(why) => Answer::Failed(why),
        }
    }

    /// Switches the machine on.
    pub async fn on(&mut self, within: Duration) -> Result<(), String> {
        match self {
            Asked::Ipmi(line, _) => line.on(within).await.map_err(|e| e.to_string()),
            Asked::Agent(..) => {
                let (agent, programs) = self.agent().await?;
                let came = agent.on(&programs, within).await;
                came.map_err(|e| e.to_string())
            }
        }
    }

    /// A session stands.
    pub fn stands(&self) -> bool {
        matches!(self, Asked::Ipmi(line, _) if line.stands())
    }

    /// Ends it.
    pub async fn rest(&mut self) {
        if let Asked::Ipmi(line, _) = self {
            line.close().await;
        }
    }

    async fn status(&mut self) -> Result<bool, (String, bool)> {
        Ok(match self {
            Asked::Ipmi(line, _) => {
                let chassis = line.status(STATUS).await.map_err(told)?;
                if !chassis.on && chassis.fault {
                    let why = "it reports a fault of its power control, so that off proves nothing";
                    return Err((why.into(), false));
                }
                chassis.on
            }
            Asked::Agent(..) => {
                let (agent, programs) = self.agent().await.map_err(|why| (why, false))?;
                let power = agent.status(&programs, STATUS_BY_AGENT).await;
                power.map_err(|e| (e.to_string(), false))? == Power::On
            }
        })
    }

    async fn order_off(&mut self, within: Duration) -> Result<(), String> {
        let (agent, programs) = self.agent().await?;
        let ordered = agent.order_off(&programs, within).await;
        ordered.map_err(|e| e.to_string())
    }

    /// The agent, once its options are known to mean what they should: it would only warn of one that it does not
    /// know, and go on with another machine.
    async fn agent(&mut self) -> Result<(&Agent, Programs), String> {
        let Asked::Agent(config, sound, programs) = self else {
            unreachable!("it is one");
        };
        if sound.is_none() {
            let program = agent::find(&config.name)?;
            let metadata = agent::metadata(&program).await;
            let metadata = metadata.map_err(|why| format!("{} {why}", config.name))?;
            let problems = agent::problems(&metadata, &config.options);
            if !problems.is_empty() {
                return Err(problems.join("; "));
            }
            let options = config.options.clone();
            *sound = Some(Agent { program, options });
        }
        let agent = sound.as_ref().expect("it was just found sound");
        Ok((agent, programs.clone()))
    }

    fn suite(&self) -> Option<String> {
        match self {
            Asked::Ipmi(_, bmc) => Some(format!("cipher suite {}", bmc.spoken()?)),
            Asked::Agent(..) => None,
        }
    }
}

fn told(failure: Failure) -> (String, bool) {
    let password = matches!(failure, Failure::Password { .. } | Failure::Name);
    (failure.to_string(), password)
}

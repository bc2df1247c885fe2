//! Switching the peer off, as the core decides it: its questions go to the devices, and who was shot, why, by
//! which device and how long each part took is told.

use super::*;
use crate::core::event::{Answer, Ask, Change};
use crate::shell::devices::{Readiness, State};
use crate::shell::status::{FenceDevice, Fencing};

/// The shot under way, for what is told of it.
#[derive(Default)]
pub(super) struct Shots {
    /// The last off: by which device, and when.
    sent: Option<(usize, Time)>,
    /// When it was accepted, and when the machine read off for the first time since.
    accepted: Option<Time>,
    read_off: Option<Time>,
    /// The operator's order that is being carried out, and how it ended.
    by_hand: Option<u32>,
    told: Option<String>,
    /// What is asked now, by device.
    asking: BTreeMap<usize, Ask>,
}

impl Daemon {
    /// The devices of the file in force.
    pub(super) fn follow_devices(&mut self) {
        let peer = self.me.other();
        let fencing = self.config.fencing.as_ref();
        let devices = fencing.map(|fencing| (fencing, fencing.against(peer)));
        self.devices.replace(devices);
    }

    /// The core asks a device.
    pub(super) fn ask_device(&mut self, device: usize, ask: Ask) {
        self.shots.asking.insert(device, ask);
        if ask == Ask::Off {
            let now = clock::now();
            self.shots.sent = Some((device, now));
            (self.shots.accepted, self.shots.read_off) = (None, None);
            let peer = self.peer_name();
            let heard = self.node.view().peer.last_heard;
            let silence = heard.map_or(String::new(), |at| {
                format!(", last heard {} ago", clock::span(now.since(at)))
            });
            let by = self.device_name(device);
            let (level, why) = match self.node.fence_order() {
                Some(_) => (log::Level::Warn, ", by an operator's order".into()),
                None => (log::Level::Error, silence),
            };
            self.tell_fencing(level, format!("{peer} is switched off by {by}{why}"));
        }
        let rehearsal = self.node.fence_order().is_some_and(|order| order.rehearsal);
        self.devices.ask(device, ask, rehearsal);
    }

    /// A device has answered: for the history, before the core hears it.
    pub(super) fn device_answered(&mut self, device: usize, answer: &Answer) {
        let now = clock::now();
        let ask = self.shots.asking.remove(&device);
        let since = |at: Time| millis(now.since(at));
        match (ask, answer, self.shots.sent) {
            (Some(Ask::Off), Answer::Failed(why), Some((_, sent))) => {
                let by = self.device_name(device);
                let text = format!("{by} did not take the off, after {}: {why}", since(sent));
                self.tell_fencing(log::Level::Error, text);
            }
            (Some(Ask::Off), _, Some(_)) => self.shots.accepted = Some(now),
            (Some(Ask::Status), Answer::Off, Some(_)) => {
                self.shots.read_off.get_or_insert(now);
            }
            (Some(Ask::Status), _, _) => self.shots.read_off = None,
            _ => {}
        }
    }

    /// The peer is off, as far as the core could find out by its devices.
    pub(super) fn note_fenced(&mut self, report: &Report) {
        let fenced = matches!(report.change, Change::Peer(_, PeerState::Fenced));
        if !fenced || report.reason != Reason::Fenced {
            return;
        }
        let now = clock::now();
        let (me, peer) = (&self.config.node(self.me).name, self.peer_name());
        let shots = &mut self.shots;
        let (sent, accepted) = (shots.sent.take(), shots.accepted.take());
        let read_off = shots.read_off.take();
        let text = match sent {
            None => format!("{peer} is off, and {me} did not switch it off"),
            Some((device, sent)) => {
                let part = |what: &str, from: Option<Time>, to: Option<Time>| match (from, to) {
                    (Some(from), Some(to)) => format!(", {what} {}", millis(to.since(from))),
                    _ => String::new(),
                };
                format!(
                    "{peer} is off by {}{}{}{}",
                    self.device_name(device),
                    part("accepted after", Some(sent), accepted),
                    part("read off after", accepted.or(Some(sent)), read_off),
                    part("verified after", read_off, Some(now)),
                )
            }
        };
        self.shots.told = Some(text.clone());
        self.tell_fencing(log::Level::Warn, text);
        if let Some((device, _)) = sent {
            self.rehearsed(device);
        }
        self.devices.verified();
    }

    /// An operator wants the peer switched off.
    pub(super) fn fence_by_hand(&mut self, number: u32, command: Command) {
        if self.node.fence_order().is_none() {
            (self.shots.by_hand, self.shots.told) = (Some(number), None);
        }
        self.command(number, command);
    }

    /// How that went, where it went well.
    pub(super) fn how_it_went(&mut self, number: u32, accepted: bool) -> Option<String> {
        self.shots.by_hand.take_if(|by_hand| *by_hand == number)?;
        self.shots.told.take().filter(|_| accepted)
    }

    /// What a device's task has to say of itself.
    pub(super) fn hear_devices(&mut self) {
        let Some(said) = self.devices.take_said() else {
            return;
        };
        self.dirty = true;
        for said in said {
            self.tell_fencing(log::Level::Warn, said);
        }
    }

    /// What stands on the status page; None: nothing switches anybody off.
    pub(super) fn fencing_status(&self, now: Time) -> Option<Fencing> {
        let fencing = self.config.fencing.as_ref()?;
        let lately = 3 * fencing.probe;
        let known = self.devices.readiness();
        let good = |level: usize, device: &Readiness| {
            device.is_good(now, lately) && !self.node.distrusts(level)
        };
        let identities = fencing.against(self.me.other()).iter();
        let identities = identities.map(config::Device::identity);
        let peer = self.peer_name();
        let devices =
            known
                .iter()
                .zip(identities)
                .enumerate()
                .map(|(level, (device, identity))| {
                    let (state, why) = match &device.state {
                        _ if self.node.distrusts(level) => ("distrusted", Some(lied(&peer))),
                        State::Unasked => ("unasked", None),
                        State::Power(true) => ("on", None),
                        State::Power(false) => ("off", None),
                        State::Failed(why) if device.is_anothers() => {
                            ("distrusted", Some(why.clone()))
                        }
                        State::Failed(why) => ("failed", Some(why.clone())),
                    };
                    FenceDevice {
                        name: device.name.clone(),
                        state: state.into(),
                        why,
                        good_us: device.good_at.map(|at| at.0),
                        suite: device.suite.clone(),
                        rehearsed: self.rehearsals.of(identity).cloned(),
                    }
                });
        Some(Fencing {
            devices: devices.collect(),
            ready: known
                .iter()
                .enumerate()
                .any(|(level, device)| good(level, device)),
            peer_ready: self.aside.peer_ready,
            delay_ms: fencing.delay.as_millis() as u64,
        })
    }

    fn rehearsed(&mut self, device: usize) {
        let known = self.config.fencing.as_ref();
        let known = known.and_then(|f| f.against(self.me.other()).get(device));
        if let Some(identity) = known.map(config::Device::identity) {
            let write = self.rehearsals.note(identity, clock::wall());
            smol::unblock(write).detach();
        }
    }

    fn device_name(&self, device: usize) -> String {
        let known = self.config.fencing.as_ref();
        let known = known.and_then(|f| f.against(self.me.other()).get(device));
        let name = known.map_or_else(|| "a device".into(), ToString::to_string);
        format!("{name} (level {})", device + 1)
    }

    fn peer_name(&self) -> String {
        self.config.node(self.me.other()).name.clone()
    }

    fn tell_fencing(&mut self, level: log::Level, text: String) {
        self.tell(Tiding {
            group: None,
            change: "fencing",
            level,
            text,
        });
    }
}

fn lied(peer: &str) -> String {
    format!(
        "it read off of {peer}'s machine, which lived on; it is believed again once it has switched {peer} off in a \
         rehearsal: `ha-appliance fence {peer} --rehearse`"
    )
}

/// Parts of a shot are compared with each other, down to a packet's way.
fn millis(span: Duration) -> String {
    format!("{} ms", span.as_millis())
}

//! Switching the peer off, as the core decides it: its questions go to the devices, and who was shot, why, by
//! which device and how long each part took is told.

use super::*;
use crate::core::event::{Answer, Ask, Change};
use crate::shell::devices::{Readiness, State};
use crate::shell::status::{FenceDevice, Fencing};
use crate::wire::heartbeat::Role;

/// The shot under way, for what is told of it.
#[derive(Default)]
pub(super) struct Shots {
    /// The last off: by which device, and when.
    sent: Option<(usize, Time)>,
    /// When it was accepted, and when the machine read off for the first time since.
    accepted: Option<Time>,
    read_off: Option<Time>,
    /// An operator's order was carried out, and nobody has read since that the peer is off.
    ordered: bool,
    /// An order under way, by which device it is carried out, and whether that is a rehearsal.
    by_hand: Option<(u32, usize, bool)>,
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
            self.tell_fencing(
                log::Level::Error,
                format!("{peer} is switched off by {by}{silence}"),
            );
        }
        self.devices.ask(device, ask);
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
            None if std::mem::take(&mut self.shots.ordered) => {
                format!("{peer} is off, as was ordered")
            }
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
        self.tell_fencing(log::Level::Warn, text);
        if let Some((device, _)) = sent {
            self.rehearsed(device);
        }
        self.devices.verified();
    }

    /// An operator wants the peer switched off.
    pub(super) fn fence_by_hand(&mut self, number: u32, rehearse: bool) {
        match self.refuse_by_hand(rehearse) {
            Some(why) => self.answered(number, false, format!("refused: {why}")),
            None => {
                let device = self.devices.best();
                let by = self.device_name(device);
                let peer = self.peer_name();
                self.tell_fencing(
                    log::Level::Warn,
                    format!("{peer} is switched off by {by}, by an operator's order"),
                );
                self.shots.by_hand = Some((number, device, rehearse));
                self.devices.switch_off(device, rehearse);
            }
        }
    }

    fn refuse_by_hand(&self, rehearse: bool) -> Option<String> {
        let (view, peer) = (self.node.view(), self.peer_name());
        if self.config.fencing.is_none() {
            return Some(format!(
                "ha.toml names nothing that switches {peer} off (`[[fence]]`)"
            ));
        }
        if view.maintenance {
            return Some("nobody is switched off in maintenance: `maintenance off` first".into());
        }
        if self.shots.by_hand.is_some() {
            return Some(format!("{peer} is being switched off already"));
        }
        if rehearse && view.peer.state != PeerState::Alive {
            return Some(format!(
                "{peer} is not heard: rehearse it with a node that is well"
            ));
        }
        let serves = |group: &&crate::core::view::GroupView| {
            group.peer.is_none_or(|(role, _)| role != Role::Stopped)
        };
        let serves = view.groups.iter().find(serves).filter(|_| rehearse)?;
        Some(format!(
            "{peer} may serve {}: `ha-appliance standby {peer}` first",
            self.names.group(serves.id)
        ))
    }

    /// What came of that.
    fn switched_by_hand(&mut self, came: Result<String, String>) {
        let Some((number, device, rehearse)) = self.shots.by_hand.take() else {
            return;
        };
        let (by, peer) = (self.device_name(device), self.peer_name());
        let (well, text) = match came {
            Ok(how) => (true, format!("{peer} is off by {by}, {how}")),
            Err(why) => (
                false,
                format!("{peer} is not known to be off by {by}: {why}"),
            ),
        };
        self.shots.ordered = well;
        if well {
            self.rehearsed(device);
        }
        if well && rehearse {
            self.step(Event::Rehearsed { device });
        }
        self.answered(number, well, text);
    }

    /// What a device's task has to say of itself.
    pub(super) fn hear_devices(&mut self) {
        let Some(said) = self.devices.take_said() else {
            return;
        };
        self.dirty = true;
        if let Some(came) = self.devices.take_switched_off() {
            self.switched_by_hand(came);
        }
        for said in said {
            self.tell_fencing(log::Level::Warn, said);
        }
    }

    /// What stands on the status page; None: nothing switches anybody off.
    pub(super) fn fencing_status(&self, now: Time) -> Option<Fencing> {
        let fencing = self.config.fencing.as_ref()?;
        let lately = 3 * fencing.probe;
        let known = self.devices.readiness();
        let good = |device: &Readiness| device.is_good(now, lately);
        let identities = fencing.against(self.me.other()).iter();
        let identities = identities.map(config::Device::identity);
        let devices = known.iter().zip(identities).map(|(device, identity)| {
            let (state, why) = match &device.state {
                State::Unasked => ("unasked", None),
                State::Power(true) => ("on", None),
                State::Power(false) => ("off", None),
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
            ready: known.iter().any(good),
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

/// Parts of a shot are compared with each other, down to a packet's way.
fn millis(span: Duration) -> String {
    format!("{} ms", span.as_millis())
}

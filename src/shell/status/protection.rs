//! By what a silent peer's part is taken over: by fencing, with what that lacks just now, or by best effort.

use super::judge::age;
use super::{FenceDevice, Fencing, Group, Status, sentence};
use crate::core::time::Time;

/// A line of the page.
#[derive(Debug)]
pub(crate) struct Line {
    /// What it is worth.
    pub worth: Worth,
    /// As the page says it.
    pub text: String,
}

/// What a line says of the protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It protects.
    Good,
    /// It protects, and was never seen to do so.
    Unrehearsed,
    /// A device that is of no use now.
    Useless,
    /// Nothing protects: a concern tells that too, with its cure.
    Unprotected,
}

/// As the page says it.
pub(crate) fn lines(status: &Status, now: Time) -> Vec<Line> {
    let Some(fencing) = &status.fencing else {
        return without_fencing(status);
    };
    let (me, peer) = (&status.node, status.peer_name());
    let (worth, text) = match lack(fencing, me, peer, heard(status)) {
        None if !fencing.rehearsed() => (
            Worth::Unrehearsed,
            format!(
                "PROTECTED, unrehearsed: {me} has not yet switched {peer} off to see that it does"
            ),
        ),
        None => (
            Worth::Good,
            format!("PROTECTED: a silent {peer} is switched off, then taken over"),
        ),
        // Each device's reason stands below.
        Some(_) if fencing.known() == Some(false) => {
            let verb = verb(fencing);
            let text = format!("UNPROTECTED: nothing that switches {peer} off {verb}");
            (Worth::Unprotected, text)
        }
        Some(why) => (Worth::Unprotected, format!("UNPROTECTED: {why}")),
    };
    let devices = fencing.devices.iter();
    let devices = devices.map(|device| of_device(device, peer, now));
    std::iter::once(Line { worth, text })
        .chain(devices)
        .collect()
}

/// What is missing until either node can make sure of the other; None: nothing.
pub(crate) fn lack(fencing: &Fencing, me: &str, peer: &str, heard: bool) -> Option<String> {
    match (fencing.ready, fencing.peer_ready) {
        (false, _) => Some(not_ready(fencing, peer)),
        (true, _) if !heard => Some(format!("{peer} is not heard, and does not watch {me}")),
        (true, Some(true)) => None,
        (true, Some(false)) => Some(sentence::useless_there(me, peer)),
        (true, None) => Some(format!("{peer} has not said that it could switch {me} off")),
    }
}

/// What keeps this node from switching its peer off.
pub(crate) fn not_ready(fencing: &Fencing, peer: &str) -> String {
    let failed = |device: &FenceDevice| Some(format!("{}: {}", device.name, device.why.as_ref()?));
    let failed: Vec<String> = fencing.devices.iter().filter_map(failed).collect();
    let answered = fencing
        .devices
        .iter()
        .any(|device| device.good_us.is_some());
    match failed.is_empty() {
        true if answered => format!("nothing that switches {peer} off has answered lately"),
        true => format!("nothing that switches {peer} off was asked yet"),
        false => format!(
            "nothing that switches {peer} off {} ({})",
            verb(fencing),
            failed.join("; ")
        ),
    }
}

/// What none of them does.
fn verb(fencing: &Fencing) -> &'static str {
    match fencing
        .devices
        .iter()
        .any(|device| device.state == "distrusted")
    {
        true => "is believed",
        false => "can be used",
    }
}

/// What each device said last, by level.
pub(super) fn levels(fencing: &Fencing) -> String {
    let of = |device: &FenceDevice| {
        let said = match (device.state.as_str(), &device.why) {
            ("on", _) => "it has power",
            ("off", _) => "it is off",
            (_, Some(why)) => why,
            (_, None) => "not asked yet",
        };
        format!("{}: {said}", device.name)
    };
    let all: Vec<String> = fencing.devices.iter().map(of).collect();
    all.join("; ")
}

fn heard(status: &Status) -> bool {
    status.peer.state == "alive"
}

fn of_device(device: &FenceDevice, peer: &str, now: Time) -> Line {
    let name = &device.name;
    let good = device.good_us.map(|at| age(now, at));
    let suite = device.suite.as_ref();
    let suite = suite.map_or(String::new(), |suite| format!(", {suite}"));
    let rehearsed = device.rehearsed.as_ref();
    let day = |date: &String| date.split('T').next().unwrap_or_default().to_owned();
    let rehearsed = rehearsed.map(day);
    let rehearsed = rehearsed.map_or(String::new(), |day| format!("; last switched it off {day}"));
    let why = device.why.as_deref().unwrap_or_default();
    match (device.state.as_str(), good) {
        ("on" | "off", Some(good)) => Line {
            worth: Worth::Good,
            text: format!(
                "{name} said {good} ago that {peer} is {}{suite}{rehearsed}",
                device.state
            ),
        },
        ("distrusted", _) => Line::useless(format!("{name} is not believed: {why}")),
        ("failed", good) => {
            let good = good.map_or(String::new(), |good| format!("; it answered {good} ago"));
            Line::useless(format!("{name} cannot be used: {why}{good}{rehearsed}"))
        }
        _ => Line::useless(format!("{name} was not asked yet{rehearsed}")),
    }
}

fn without_fencing(status: &Status) -> Vec<Line> {
    let none = |group: &&Group| group.protection == "none";
    let none: Vec<&str> = (status.groups.iter().filter(none))
        .map(|g| g.name.as_str())
        .collect();
    if !none.is_empty() && none.len() == status.groups.len() {
        let text = "NONE: no takeover by itself from a dead peer, see attention";
        return vec![Line::unprotected(text)];
    }
    let text = "UNPROTECTED: no fencing, no witness; a takeover is best effort";
    let mut lines = vec![Line::unprotected(text)];
    if !none.is_empty() {
        let text = format!("NONE for {}: see attention", none.join(", "));
        lines.push(Line::unprotected(text));
    }
    lines
}

impl Line {
    fn useless(text: String) -> Line {
        Line {
            worth: Worth::Useless,
            text,
        }
    }

    fn unprotected(text: impl Into<String>) -> Line {
        Line {
            worth: Worth::Unprotected,
            text: text.into(),
        }
    }
}

impl Fencing {
    /// Whether a device answers that switches the peer off; None: none was asked yet.
    pub(crate) fn known(&self) -> Option<bool> {
        let asked = self.devices.iter().any(|device| device.state != "unasked");
        asked.then_some(self.ready)
    }

    /// A device said last whether the peer has power.
    pub(super) fn answers(&self) -> bool {
        let mut devices = self.devices.iter();
        devices.any(|device| matches!(device.state.as_str(), "on" | "off"))
    }

    /// A device that answers has switched the peer off before.
    fn rehearsed(&self) -> bool {
        let answers = |device: &&FenceDevice| device.why.is_none();
        let mut answers = self.devices.iter().filter(answers);
        answers.any(|device| device.rehearsed.is_some())
    }
}

//! `fence-peer`: DRBD's handler, which asks the daemon what is certain of the other node. What it ends with the kernel
//! takes for the truth, so it says a number by proof alone, and otherwise one that means nothing: then all I/O stays
//! frozen. It asks as long as drbdadm lets it.

use super::command;
use crate::shell::options::Options;
use crate::shell::orders::Verb;
use crate::shell::status::{self, Answer, Reading};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// drbdadm gives a handler 600 s, and then takes it for broken, which it is not.
const PATIENCE: Duration = Duration::from_secs(550);
/// To the next question: at first a proof may be a moment away.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];
/// No proof. To the kernel that is a handler that is broken.
const NOTHING: u8 = 1;

/// Asks until there is a proof.
pub(super) fn main() -> ExitCode {
    let resource = std::env::var("DRBD_RESOURCE").unwrap_or_default();
    let until = Instant::now() + PATIENCE;
    let mut pause = PAUSES[0];
    let mut told = String::new();
    loop {
        match ask(&Options::default(), &resource) {
            Ok(status) => return ExitCode::from(status),
            // drbdadm passes it on to the kernel's log.
            Err(why) if why != told => {
                eprintln!("ha-appliance fence-peer {resource}: {why}");
                told = why;
            }
            Err(_) => {}
        }
        if Instant::now() + pause >= until {
            return ExitCode::from(NOTHING);
        }
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(PAUSES[1]);
    }
}

/// What is certain now, as the kernel reads it; Err: why nothing is.
fn ask(options: &Options, resource: &str) -> Result<u8, String> {
    let (holder, status) = match status::read(&options.run_dir) {
        Ok(Reading::Fresh(Some(holder), status)) => (holder, status),
        Ok(Reading::Fresh(None, _)) => return Err("it is not root".into()),
        Ok(_) => return Err("the daemon does not answer".into()),
        Err(why) => return Err(why.to_string()),
    };
    if status.daemon.software != env!("CARGO_PKG_VERSION") {
        return Err("the daemon is of another version: restart it".into());
    }
    let group = status.drbd(resource);
    let group = group.and_then(|(index, _)| u8::try_from(index).ok());
    match command::sent(options, &holder, &status, Verb::FencePeer, group) {
        Ok(Answer {
            accepted: true,
            text,
            ..
        }) => certain(&text).ok_or(text),
        Ok(Answer { text, .. }) | Err((_, text)) => Err(text),
    }
}

/// The number that an answer begins with, of those that may be said by proof.
fn certain(text: &str) -> Option<u8> {
    let status = text.split(' ').next()?.parse().ok()?;
    matches!(status, 4 | 7).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_is_said() {
        assert_eq!(certain("7 lb1 was seen off"), Some(7));
        assert_eq!(certain("4 lb1 has outdated what it has"), Some(4));
        for other in ["5 a guess", "0 done", "lb1 is heard", "", "77"] {
            assert_eq!(certain(other), None, "{other}");
        }
    }
}

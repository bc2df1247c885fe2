//! Unmounted: cleanly, after its users were told, after they were killed, or not at all.
//!
//! Stopped means gone from the table of mounts, and the device free on this machine. A lazy unmount would only hide
//! it: whoever still uses it would go on writing.

use super::users::{self, User};
use super::{Answer, Table, Target, Undone, claim};
use crate::agents::trouble::Trouble;
use crate::sys;
use std::fs::File;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What just ended may not have let go of it yet.
const SOON: Duration = Duration::from_millis(500);
/// From SIGTERM to SIGKILL.
const TERM: Duration = Duration::from_secs(3);
/// From SIGKILL to giving up: one that lives on waits in the kernel.
const KILL: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Unmounts it, if it is mounted; what else is to be said.
pub(super) fn stop(target: &Target, until: Instant) -> Result<Answer, Undone> {
    let mut told = Told::default();
    if is_mounted(target)? {
        // Most of it while umount(2) holds nothing up yet.
        if let Ok(root) = File::open(&target.point) {
            let _ = sys::sync_file_system(&root);
        }
        unmount(target, until, &mut told)?;
    }
    // A namespace that is just ending may have a copy.
    let begun = Instant::now();
    loop {
        let taken = claim::is_taken(&target.device);
        if matches!(taken, Ok(false)) {
            break;
        }
        if begun.elapsed() >= 2 * SOON {
            let device = &target.device;
            return Err(match taken {
                Ok(_) => format!("{device} is still in use: {}", claim::holders(target)).into(),
                Err(Trouble(why)) => {
                    Trouble(format!("whether it is still in use is not known: {why}")).into()
                }
            });
        }
        sleep(PAUSE);
    }
    Ok(Answer::Done(told.in_words(&target.point)))
}

fn is_mounted(target: &Target) -> Result<bool, Undone> {
    let point = &target.point;
    let table = Table::seen()?;
    match table.at(point) {
        None => Ok(false),
        Some(entry) if target.is(entry) => Ok(true),
        // Ours may be below it.
        Some(entry)
            if table
                .0
                .iter()
                .any(|other| other.point == *point && target.is(other)) =>
        {
            Err(format!("{} is mounted over {point}: unmount it", entry.source).into())
        }
        // It is not ours to unmount.
        Some(_) => Ok(false),
    }
}

fn unmount(target: &Target, until: Instant, told: &mut Told) -> Result<(), Undone> {
    let point = &target.point;
    let steps = [
        (None, SOON),
        (Some(libc::SIGTERM), TERM),
        (Some(libc::SIGKILL), KILL),
    ];
    let mut users = Vec::new();
    for (signal, patience) in steps {
        let step = Instant::now();
        loop {
            match sys::unmount(point) {
                Ok(()) => return Ok(()),
                // Somebody else was quicker.
                Err(_) if !is_mounted(target)? => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
                Err(error) => return Err(Undone::of(&format!("cannot unmount {point}"), &error)),
            }
            if let Some(signal) = signal {
                users = users::find(target);
                // Between the look and the signal it may have been unmounted, and they moved on.
                for user in &users {
                    if !told.has(user, signal)
                        && is_mounted(target) == Ok(true)
                        && users::signal(user, signal, target)
                    {
                        told.0.push((user.clone(), signal));
                    }
                }
            }
            if Instant::now() >= until {
                return Err(in_use(target, &users).into());
            }
            if step.elapsed() >= patience {
                break;
            }
            sleep(if signal.is_some() { 5 * PAUSE } else { PAUSE });
        }
    }
    Err(in_use(target, &users).into())
}

/// Who was told to end, and how.
#[derive(Default)]
struct Told(Vec<(User, i32)>);

impl Told {
    fn has(&self, user: &User, signal: i32) -> bool {
        self.0
            .iter()
            .any(|(told, by)| told == user && *by == signal)
    }

    /// None: nobody was.
    fn in_words(&self, point: &str) -> Option<String> {
        let of = |signal: i32, name: &str| -> Option<String> {
            let users = self.0.iter().filter(|(_, by)| *by == signal);
            let users: Vec<String> = users.map(|(user, _)| user.to_string()).collect();
            let (first, rest) = users.split_at(users.len().min(NAMED));
            let more = match rest.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            (!first.is_empty()).then(|| format!("{name} to {}{more}", first.join(", ")))
        };
        let both = [of(libc::SIGTERM, "SIGTERM"), of(libc::SIGKILL, "SIGKILL")];
        let both: Vec<String> = both.into_iter().flatten().collect();
        (!both.is_empty()).then(|| format!("{}, which used {point}", both.join("; ")))
    }
}

/// So many are named.
const NAMED: usize = 8;

/// Who keeps it, in words.
fn in_use(target: &Target, users: &[User]) -> String {
    let point = &target.point;
    let mut names: Vec<String> = users.iter().take(NAMED).map(User::to_string).collect();
    names.extend(users::in_the_kernel(point));
    let who = match names.is_empty() {
        true => format!("by no process; {}", claim::holders(target)),
        false => names.join("; "),
    };
    format!("{point} is still in use: {who}")
}

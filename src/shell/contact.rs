//! Since when the peer may be gone, in the run directory: a daemon that starts again in this boot counts on from
//! there, and shoots neither sooner nor later than the one before would have.
//!
//! It may lag a little, never lie: what cannot be written is taken away, and without it nobody is shot before the
//! peer was heard again.

use super::clock::boot_id;
use crate::core::protocol::fencing::{Count, OFTEN};
use crate::core::time::Time;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The note.
#[derive(Debug)]
pub struct Contact(PathBuf);

impl Contact {
    /// Where it stands.
    pub fn new(run_dir: &Path) -> Contact {
        Contact(run_dir.join("last-contact"))
    }

    /// What an earlier daemon of this boot noted.
    pub fn known(&self) -> Option<Count> {
        let text = fs::read_to_string(&self.0).ok()?;
        let mut words = text.split_whitespace();
        let ours = words.next()? == boot_id();
        let zero = Time(words.next()?.parse().ok()?);
        let (shared, spent) = match words.next()? {
            "shared" => (true, false),
            "alone" => (false, false),
            "spent" => (false, true),
            _ => return None,
        };
        let delay = Duration::from_micros(words.next()?.parse().ok()?);
        let maintained = match words.next()? {
            "maintained" => true,
            "managed" => false,
            _ => return None,
        };
        let mut offs = [None; OFTEN];
        for (at, off) in words.by_ref().zip(&mut offs) {
            *off = Some(Time(at.parse().ok()?));
        }
        // The latest are last.
        offs.sort_unstable();
        // What was cut off at its end says something else.
        let whole = text.ends_with('\n') && words.next().is_none();
        (ours && whole).then_some(Count {
            zero,
            shared,
            spent,
            delay,
            maintained,
            offs,
        })
    }

    /// Writes it.
    pub fn note(&self, count: Count) {
        let shared = match (count.spent, count.shared) {
            (true, _) => "spent",
            (false, true) => "shared",
            (false, false) => "alone",
        };
        let delay = count.delay.as_micros();
        let how = match count.maintained {
            true => "maintained",
            false => "managed",
        };
        let mut text = format!("{} {} {shared} {delay} {how}", boot_id(), count.zero.0);
        for off in count.offs.into_iter().flatten() {
            text += &format!(" {}", off.0);
        }
        text.push('\n');
        let new = self.0.with_extension("new");
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &self.0));
        if let Err(error) = written {
            log::warn!("{}: {error}", self.0.display());
            let _ = fs::remove_file(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;

    #[test]
    fn what_was_noted_in_this_boot_is_known_and_half_of_it_is_not() {
        let dir = TestDir::new();
        let contact = Contact::new(&dir);
        assert_eq!(contact.known(), None);
        for (shared, spent) in [(true, false), (false, false), (false, true)] {
            let count = Count {
                zero: Time(123_456),
                shared,
                spent,
                delay: Duration::from_secs(8),
                maintained: !shared,
                offs: [None, spent.then_some(Time(5)), Some(Time(99))],
            };
            contact.note(count);
            assert_eq!(Contact::new(&dir).known(), Some(count));
        }
        let text = fs::read_to_string(&contact.0).unwrap();
        for length in 0..text.len() {
            fs::write(&contact.0, &text[..length]).unwrap();
            assert_eq!(contact.known(), None, "{:?}", &text[..length]);
        }
        fs::write(&contact.0, "another-boot 5 shared 8000000 managed\n").unwrap();
        assert_eq!(contact.known(), None);
    }

    #[test]
    fn what_cannot_be_written_is_not_left_as_it_was() {
        let dir = TestDir::new();
        let contact = Contact::new(&dir);
        let count = Count {
            zero: Time(1),
            shared: true,
            spent: false,
            delay: Duration::ZERO,
            maintained: false,
            offs: [None; OFTEN],
        };
        contact.note(count);
        fs::create_dir(contact.0.with_extension("new")).unwrap();
        contact.note(count);
        assert_eq!(contact.known(), None);
    }
}

//! What this boot's daemons started, and by which token: a file a group in the run directory, which
//! a reboot empties. A daemon that starts again goes on with what such a mark speaks for, where a stranger's
//! process would have to be stopped.
//!
//! A mark is there before the first start, and says so or is gone once everything is stopped, before anybody is told.
//! One that cannot be written is no harm: then agreement is waited for, as after a boot.

use super::clock::boot_id;
use crate::core::protocol::group::Started;
use crate::id::{GroupId, ResourceId};
use std::fs;
use std::path::{Path, PathBuf};

/// The marks.
#[derive(Debug)]
pub struct Marks {
    dir: PathBuf,
    known: Vec<(GroupId, Started)>,
}

impl Marks {
    /// Reads what is there of this boot.
    pub fn open(run_dir: &Path) -> Marks {
        let dir = run_dir.join("started");
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        let known = entries.filter_map(|entry| {
            let name = entry.file_name();
            let id = |word: &str| Some(ResourceId(u64::from_str_radix(word, 16).ok()?));
            let group = u64::from_str_radix(name.to_str()?, 16).ok()?;
            let text = fs::read_to_string(entry.path()).ok()?;
            let mut words = text.split_whitespace();
            let ours = words.next()? == boot_id();
            let started = Started {
                epoch: words.next()?.parse().ok()?,
                runs: match words.next()? {
                    "runs" => true,
                    "stopped" => false,
                    _ => return None,
                },
                covered: words.map(id).collect::<Option<_>>()?,
            };
            ours.then_some((GroupId(group), started))
        });
        Marks {
            known: known.collect(),
            dir,
        }
    }

    /// What they say.
    pub fn known(&self) -> &[(GroupId, Started)] {
        &self.known
    }

    /// That is about to be started, or runs; None: nothing of the group runs any more.
    pub fn set(&self, group: GroupId, started: Option<Started>) {
        let path = self.dir.join(format!("{:016x}", group.0));
        let done = match started {
            Some(Started {
                epoch,
                covered,
                runs,
            }) => {
                let runs = if runs { "runs" } else { "stopped" };
                let covered: String = covered.iter().map(|id| format!(" {:016x}", id.0)).collect();
                let text = format!("{} {epoch} {runs}{covered}\n", boot_id());
                fs::create_dir_all(&self.dir).and_then(|()| fs::write(&path, text))
            }
            None => fs::remove_file(&path),
        };
        match done {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                log::warn!("{}: {error}", path.display());
            }
            _ => {}
        }
    }

    /// Nothing runs: for `release`.
    pub fn remove_all(run_dir: &Path) {
        let _ = fs::remove_dir_all(run_dir.join("started"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;

    #[test]
    fn what_was_started_in_this_boot_is_known_until_it_is_stopped() {
        let dir = TestDir::new();
        let marks = Marks::open(&dir);
        assert_eq!(marks.known(), []);
        let started = |epoch| Started {
            epoch,
            covered: vec![ResourceId(3), ResourceId(!7)],
            runs: epoch == 4,
        };
        marks.set(GroupId(7), Some(started(4)));
        marks.set(GroupId(8), Some(started(5)));
        marks.set(GroupId(8), None);
        marks.set(GroupId(9), None);
        marks.set(GroupId(10), Some(started(6)));
        let known = || {
            let mut known = Marks::open(&dir).known;
            known.sort_by_key(|(group, _)| group.0);
            known
        };
        assert_eq!(
            known(),
            [(GroupId(7), started(4)), (GroupId(10), started(6))]
        );
        let other_boot = dir.join("started").join(format!("{:016x}", 9));
        fs::write(other_boot, "another-boot 6 runs 7\n").unwrap();
        assert_eq!(
            known(),
            [(GroupId(7), started(4)), (GroupId(10), started(6))]
        );
        Marks::remove_all(&dir);
        assert_eq!(Marks::open(&dir).known(), []);
    }
}

//! What a node must not forget, on disk: `state.json` in the state directory.
//!
//! A record is written beside the old one, fsynced and renamed over it, and the directory is fsynced
//! too: after a power cut there is the old record or the new one. A SHA-256 of the contents makes
//! sure that a damaged file is *noticed*: an epoch or a holder that flipped a bit could make a
//! second holder, while a missing record is safe (the core then runs nothing without the peer's
//! agreement or clearance). So whatever is not exactly what was written is moved aside, said, and
//! treated as missing.

mod format;

use crate::agents::trouble;
use crate::core::protocol::record::Record;
use crate::id::VifId;
use crate::sys;
use format::{parse, render};
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// What the record's ids are called, so that a person can read the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the groups; those without one are written with their hash alone.
    pub groups: Vec<String>,
    /// Of the VIP interfaces.
    pub vifs: Vec<(VifId, String)>,
}

/// What was on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The record; empty if there was none that can be trusted.
    pub record: Record,
    /// What an operator should know: why the record is empty although there was a file.
    pub notice: Option<String>,
}

/// Reads the record and clears up what a crash may have left. Never fails: what cannot be trusted is
/// moved aside, as `state.json.bad-<n>`.
pub fn load(dir: &Path) -> Loaded {
    remove_leftovers(dir);
    let path = dir.join(FILE);
    let text = match read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Loaded::default(),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => return distrusted(dir, "is not text"),
        Err(e) => {
            return nothing(format!(
                "{} cannot be read: {e}; starting without memory, as on the very first start",
                path.display()
            ));
        }
    };
    match parse(&text) {
        Ok(record) => Loaded {
            record,
            notice: None,
        },
        Err(why) => distrusted(dir, &why),
    }
}

/// The record, touching nothing: for those who are not the daemon. None: there is none to be trusted.
pub fn peek(dir: &Path) -> Option<Record> {
    parse(&read(&dir.join(FILE)).ok()?).ok()
}

/// States that were moved aside and are still there, oldest first.
pub fn aside(dir: &Path) -> Vec<PathBuf> {
    let files = (1..=MAX_ASIDE).map(|n| dir.join(format!("{FILE}.bad-{n}")));
    files.filter(|file| file.exists()).collect()
}

/// Makes the record durable. Blocks until the disk has it: call it on the blocking pool, one call at
/// a time. The directory is made if missing (0700).
pub fn save(dir: &Path, names: &Names, record: &Record) -> Result<(), SaveError> {
    let path = dir.join(FILE);
    write(dir, &path, render(names, record).as_bytes()).map_err(|error| SaveError { path, error })
}

/// The record could not be made durable; the old one is still there.
#[derive(Debug)]
pub struct SaveError {
    path: PathBuf,
    error: io::Error,
}

impl SaveError {
    /// This process had no descriptor or memory for it: the disk was not even asked.
    pub fn lacks_resources(&self) -> bool {
        trouble::lacks_resources(&self.error)
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}: {}", self.path.display(), self.error)?;
        match self.error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                write!(f, "; make room on that disk")
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                write!(f, "; remount it read-write, or choose another --state-dir")
            }
            io::ErrorKind::PermissionDenied => {
                write!(f, "; it must belong to the user that runs the daemon")
            }
            io::ErrorKind::NotADirectory => write!(f, "; --state-dir must be a directory"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for SaveError {}

const FILE: &str = "state.json";
/// More is not ours: the largest record has a few hundred entries.
const MAX_SIZE: u64 = 1 << 20;

fn read(path: &Path) -> io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    File::open(path)?
        .take(MAX_SIZE + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(text)
}

fn write(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    make_dir(dir)?;
    // A name of its own: should two calls overlap after all, each renames a whole file.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let temporary = dir.join(format!("{TEMPORARY}{}-{n}", std::process::id()));
    let written = write_new(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    File::open(dir)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the state directory (0700) if it is missing, durably: a record in a directory that a power
/// cut takes away is lost too.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

fn remove_leftovers(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn distrusted(dir: &Path, why: &str) -> Loaded {
    let path = dir.join(FILE);
    let fate = match set_aside(&path) {
        Ok(aside) => format!("moved to {}", aside.display()),
        Err(e) => format!("it cannot be moved aside ({e}) and will be overwritten"),
    };
    nothing(format!(
        "{} {why}; {fate}; starting without memory, as on the very first start",
        path.display()
    ))
}

fn nothing(notice: String) -> Loaded {
    Loaded {
        record: Record::default(),
        notice: Some(notice),
    }
}

fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for n in 1..=MAX_ASIDE {
        let aside = path.with_file_name(format!("{FILE}.bad-{n}"));
        match sys::rename_noreplace(path, &aside) {
            Ok(()) => return Ok(aside),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other(format!(
        "there are {MAX_ASIDE} such files already"
    )))
}

const TEMPORARY: &str = "state.json.tmp-";
/// A file that is damaged at every start must not fill the disk with copies.
const MAX_ASIDE: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::protocol::coverage::{List, Lists};
    use crate::core::protocol::record::{FailureRecord, FenceRecord, GroupRecord, VifRecord};
    use crate::core::protocol::rhythm::{Rhythm, Rhythms};
    use crate::id::{GroupId, Place, ResourceId};
    use crate::testing::TestDir;
    use crate::wire::heartbeat::{Given, MAX_EPOCH, Side, Token, Wish, WishSubject};
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    fn names() -> Names {
        Names {
            groups: vec!["web".into(), "db".into()],
            vifs: vec![
                (VifId::of("lan"), "eth0".into()),
                (VifId::of("dmz"), String::new()),
            ],
        }
    }

    fn record() -> Record {
        let token = |epoch, holder| Token { epoch, holder };
        let given = |tag, taken_back| Some(Given { tag, taken_back });
        Record {
            groups: vec![
                GroupRecord {
                    id: GroupId::of("web"),
                    token: token(4, Side::First),
                    highest: 6,
                    peer_failed: true,
                    failback_held: false,
                },
                GroupRecord {
                    id: GroupId::of("gone"),
                    token: token(MAX_EPOCH, Side::Second),
                    highest: MAX_EPOCH,
                    peer_failed: false,
                    failback_held: true,
                },
            ],
            wishes: vec![
                Wish {
                    subject: WishSubject::Maintenance,
                    given: [given(2, true), None],
                },
                Wish {
                    subject: WishSubject::Standby(Side::Second),
                    given: [None, given(u32::MAX, false)],
                },
                Wish {
                    subject: WishSubject::Stopped(GroupId::of("db")),
                    given: [given(7, false), given(0, true)],
                },
            ],
            vifs: vec![
                VifRecord {
                    id: VifId::of("lan"),
                    mac: [2, 0, 0, 0, 0xa, 0xff],
                    proven: true,
                    address: Some(std::net::Ipv4Addr::new(192, 0, 2, 2).into()),
                },
                VifRecord {
                    id: VifId::of("dmz"),
                    mac: [0; 6],
                    proven: false,
                    address: None,
                },
            ],
            failures: vec![FailureRecord {
                place: Place {
                    group: GroupId::of("web"),
                    resource: ResourceId::of("service nginx.service"),
                },
                count: 3,
            }],
            lists: Lists(vec![
                List {
                    group: GroupId::of("web"),
                    hash: 7,
                    known: None,
                },
                List {
                    group: GroupId::of("data"),
                    hash: 8,
                    known: Some(vec![ResourceId(1), ResourceId(2)]),
                },
            ]),
            rhythms: Some(Rhythms {
                theirs: Rhythm {
                    interval: Duration::from_millis(100),
                    misses: 8,
                },
                shortest: Duration::from_millis(10),
                slowest: Rhythm {
                    interval: Duration::from_millis(1500),
                    misses: 5,
                },
            }),
            peer_maintained: true,
            peer_refused: true,
            fencing: FenceRecord {
                shot: true,
                distrusted: vec![2, u64::MAX],
                peer_delay: Duration::from_secs(8),
                loosed: true,
            },
        }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn comes_back() {
        let base = TestDir::new();
        let dir = base.join("deep/state");
        save(&dir, &names(), &record()).unwrap();
        assert_eq!(
            load(&dir),
            Loaded {
                record: record(),
                notice: None
            }
        );
        assert_eq!((mode(&dir), mode(&dir.join(FILE))), (0o700, 0o600));
        save(&dir, &names(), &Record::default()).unwrap();
        assert_eq!(load(&dir).record, Record::default());
        assert_eq!(
            std::fs::read_dir(&dir).unwrap().count(),
            1,
            "nothing else is left"
        );
    }

    #[test]
    fn the_file_is_for_people_too() {
        let text = render(&names(), &record());
        for part in [
            "\"format\": \"ha-appliance state\"",
            "\"name\": \"web\"",
            "\"group\": \"db\"",
            "02:00:00:00:0a:ff",
        ] {
            assert!(text.contains(part), "{part} not in {text}");
        }
    }

    #[test]
    fn nothing_there_is_no_news() {
        let dir = TestDir::new();
        assert_eq!(load(&dir), Loaded::default());
        assert_eq!(load(&dir.join("absent")), Loaded::default());
    }

    #[test]
    fn what_cannot_be_trusted_is_moved_aside_and_never_over_another() {
        let dir = TestDir::new();
        let good = render(&names(), &record());
        let newer = good.replace("\"version\": 1", "\"version\": 2");
        for (n, (text, says)) in [
            ("", "damaged"),
            ("{}", "not a state of ha-appliance"),
            (
                newer.as_str(),
                "has version 2, and this program knows version 1",
            ),
            (&good.replace("\"epoch\": 4", "\"epoch\": 5"), "checksum"),
            (&good[..good.len() / 2], "damaged"),
        ]
        .into_iter()
        .enumerate()
        {
            std::fs::write(dir.join(FILE), text).unwrap();
            let loaded = load(&dir);
            assert_eq!(loaded.record, Record::default());
            let notice = loaded.notice.expect("said");
            assert!(notice.contains(says), "{notice}");
            let aside = dir.join(format!("state.json.bad-{}", n + 1));
            assert!(
                notice.contains(&format!("moved to {}", aside.display())),
                "{notice}"
            );
            assert_eq!(std::fs::read_to_string(aside).unwrap(), text);
            assert_eq!(load(&dir), Loaded::default(), "said once");
        }
        let mut beyond = record();
        beyond.groups[0].highest = 1 << 62;
        std::fs::write(dir.join(FILE), render(&names(), &beyond)).unwrap();
        let notice = load(&dir).notice.unwrap();
        let says = "has an epoch of web that no pair ever reaches";
        assert!(notice.contains(says), "{notice}");
        std::fs::write(dir.join(FILE), [0xff, 0xfe]).unwrap();
        assert!(load(&dir).notice.unwrap().contains("is not text"));
    }

    #[test]
    fn an_unusable_directory_is_said_and_not_fatal() {
        let dir = TestDir::new();
        let file = dir.join("file");
        std::fs::write(&file, "").unwrap();
        let loaded = load(&file);
        assert_eq!(loaded.record, Record::default());
        assert!(loaded.notice.unwrap().contains("cannot be read"));
        let error = save(&file, &names(), &record()).unwrap_err().to_string();
        assert!(
            error.contains("cannot write") && error.contains("file/state.json"),
            "{error}"
        );
    }

    #[test]
    fn leftovers_of_a_crash_are_removed() {
        let dir = TestDir::new();
        save(&dir, &names(), &record()).unwrap();
        std::fs::write(dir.join("state.json.tmp-77-0"), "half a rec").unwrap();
        std::fs::write(dir.join("history.jsonl"), "").unwrap();
        assert_eq!(load(&dir).record, record());
        assert!(!dir.join("state.json.tmp-77-0").exists());
        assert!(dir.join("history.jsonl").exists());
    }

    #[test]
    fn a_failed_write_keeps_the_old_record() {
        let dir = TestDir::new();
        save(&dir, &names(), &record()).unwrap();
        let old = std::fs::read(dir.join(FILE)).unwrap();
        std::fs::remove_file(dir.join(FILE)).unwrap();
        std::fs::create_dir(dir.join(FILE)).unwrap(); // rename over it fails
        assert!(save(&dir, &names(), &Record::default()).is_err());
        assert_eq!(
            std::fs::read_dir(&*dir).unwrap().count(),
            1,
            "no temporary file is left"
        );
        std::fs::remove_dir(dir.join(FILE)).unwrap();
        std::fs::write(dir.join(FILE), old).unwrap();
        assert_eq!(load(&dir).record, record());
    }

    fn judge(text: &[u8]) -> Option<Record> {
        parse(std::str::from_utf8(text).ok()?).ok()
    }

    #[test]
    fn every_truncation_is_noticed_or_harmless() {
        let good = render(&names(), &record()).into_bytes();
        for length in 0..good.len() {
            assert!(
                judge(&good[..length]).is_none_or(|r| r == record()),
                "cut to {length}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn every_changed_byte_is_noticed_or_harmless(at: prop::sample::Index, byte: u8) {
            let mut text = render(&names(), &record()).into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            prop_assert!(judge(&text).is_none_or(|r| r == record()));
        }

        #[test]
        fn any_record_comes_back(
            groups in prop::collection::vec((any::<u64>(), 0..=MAX_EPOCH, any::<bool>(), 0..=MAX_EPOCH), 0..5),
            wishes in prop::collection::vec((0..4u8, any::<u64>(), any::<[Option<(u32, bool)>; 2]>()), 0..5),
            vifs in prop::collection::vec((any::<u64>(), any::<[u8; 6]>(), any::<bool>(), any::<Option<std::net::IpAddr>>()), 2),
        ) {
            let side = |first| if first { Side::First } else { Side::Second };
            let record = Record {
                groups: groups
                    .into_iter()
                    .map(|(id, epoch, first, highest)| GroupRecord { id: GroupId(id), token: Token { epoch, holder: side(first) }, highest, peer_failed: first, failback_held: !first })
                    .collect(),
                wishes: wishes
                    .into_iter()
                    .map(|(kind, group, given)| {
                        let subject = match kind {
                            0 => WishSubject::Maintenance,
                            1 | 2 => WishSubject::Standby(side(kind == 1)),
                            _ => WishSubject::Stopped(GroupId(group)),
                        };
                        let given = given.map(|g| g.map(|(tag, taken_back)| Given { tag, taken_back }));
                        Wish { subject, given }
                    })
                    .collect(),
                vifs: vifs.into_iter().map(|(id, mac, proven, address)| VifRecord { id: VifId(id), mac, proven, address }).collect(),
                ..Record::default()
            };
            prop_assert_eq!(judge(render(&names(), &record).as_bytes()), Some(record));
        }
    }
}

//! What a node must not forget, on disk: `state.json` in the state directory.
//!
//! A record is written beside the old one, fsynced and renamed over it, and the directory is fsynced
//! too: after a power cut there is the old record or the new one. A SHA-256 of the contents makes
//! sure that a damaged file is *noticed*: an epoch or a holder that flipped a bit could make a
//! second holder, while a missing record is safe (the core then runs nothing without the peer's
//! agreement or clearance). So whatever is not exactly what was written is moved aside, said, and
//! treated as missing.

use crate::agents::trouble;
use crate::core::protocol::record::{FailureRecord, GroupRecord, Record, VifRecord};
use crate::id::{GroupId, Place, ResourceId, VifId};
use crate::sys;
use crate::wire::heartbeat::{Given, MAX_EPOCH, Side, Token, Wish, WishSubject};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
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
        Ok(body) => Loaded {
            record: body.into_record(),
            notice: None,
        },
        Err(why) => distrusted(dir, &why),
    }
}

/// The record, touching nothing: for those who are not the daemon. None: there is none to be trusted.
pub fn peek(dir: &Path) -> Option<Record> {
    let body = parse(&read(&dir.join(FILE)).ok()?).ok()?;
    Some(body.into_record())
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
const FORMAT: &str = "ha-appliance state";
const VERSION: u64 = 1;
/// More is not ours: the largest record has a few hundred entries.
const MAX_SIZE: u64 = 1 << 20;

/// The file's outside: what tells whether the body can be trusted.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    format: String,
    version: u64,
    /// Of the body, written compactly with its keys in order.
    sha256: String,
    body: T,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    groups: Vec<Group>,
    wishes: Vec<DiskWish>,
    interfaces: Vec<Vif>,
    failures: Vec<Failure>,
    peer_maintained: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fencing: Option<usize>,
}

/// Failures of a resource that last until they are cleared.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    group: Hex,
    resource: Hex,
    count: u16,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    name: Option<String>,
    hash: Hex,
    epoch: u64,
    holder: DiskSide,
    highest: u64,
    peer_failed: bool,
    failback_held: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiskWish {
    wish: WishKind,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    group: Option<String>,
    /// Of the group's name; only with `stopped`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    hash: Option<Hex>,
    /// The latest time that it was given at the first node, and at the second.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    first: Option<DiskGiven>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    second: Option<DiskGiven>,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
struct DiskGiven {
    tag: u32,
    taken_back: bool,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum WishKind {
    Maintenance,
    StandbyFirst,
    StandbySecond,
    Stopped,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vif {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    interface: Option<String>,
    hash: Hex,
    /// Of the peer there.
    mac: DiskMac,
    proven: bool,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum DiskSide {
    First,
    Second,
}

/// A hash as 16 hexadecimal digits: JSON's numbers are not for 64 bits everywhere.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hex(u64);

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct DiskMac([u8; 6]);

fn render(names: &Names, record: &Record) -> String {
    let name = |id| names.groups.iter().find(|n| GroupId::of(n) == id).cloned();
    let vif = |id| names.vifs.iter().find(|(known, _)| *known == id);
    let body = Body {
        groups: record
            .groups
            .iter()
            .map(|g| Group {
                name: name(g.id),
                hash: Hex(g.id.0),
                epoch: g.token.epoch,
                holder: g.token.holder.into(),
                highest: g.highest,
                peer_failed: g.peer_failed,
                failback_held: g.failback_held,
            })
            .collect(),
        failures: record
            .failures
            .iter()
            .map(|f| Failure {
                group: Hex(f.place.group.0),
                resource: Hex(f.place.resource.0),
                count: f.count,
            })
            .collect(),
        peer_maintained: record.peer_maintained,
        fencing: record.intent,
        wishes: record
            .wishes
            .iter()
            .map(|w| {
                let (wish, of) = match w.subject {
                    WishSubject::Maintenance => (WishKind::Maintenance, None),
                    WishSubject::Standby(Side::First) => (WishKind::StandbyFirst, None),
                    WishSubject::Standby(Side::Second) => (WishKind::StandbySecond, None),
                    WishSubject::Stopped(group) => (WishKind::Stopped, Some(group)),
                };
                DiskWish {
                    wish,
                    group: of.and_then(name),
                    hash: of.map(|id| Hex(id.0)),
                    first: w.given[0].map(DiskGiven::from),
                    second: w.given[1].map(DiskGiven::from),
                }
            })
            .collect(),
        interfaces: record
            .vifs
            .iter()
            .map(|v| Vif {
                interface: vif(v.id).map(|(_, name)| name.clone()),
                hash: Hex(v.id.0),
                mac: DiskMac(v.mac),
                proven: v.proven,
            })
            .collect(),
    };
    let body = serde_json::to_value(body).expect("plain data has a JSON form");
    let envelope = Envelope {
        format: FORMAT.into(),
        version: VERSION,
        sha256: digest(&body),
        body,
    };
    serde_json::to_string_pretty(&envelope).expect("plain data has a JSON form") + "\n"
}

fn parse(text: &str) -> Result<Body, String> {
    use serde_json::Value;
    let value: Value = serde_json::from_str(text).map_err(|e| format!("is damaged ({e})"))?;
    if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err("is damaged, or not a state of ha-appliance".into());
    }
    match value.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(version) => {
            return Err(format!(
                "has version {version}, and this program knows version {VERSION}"
            ));
        }
        None => return Err("is damaged (no version)".into()),
    }
    let envelope: Envelope<Value> =
        serde_json::from_value(value).map_err(|e| format!("is damaged ({e})"))?;
    if digest(&envelope.body) != envelope.sha256 {
        return Err("is damaged (its checksum does not fit), or was edited by hand".into());
    }
    let body: Body =
        serde_json::from_value(envelope.body).map_err(|e| format!("is not understood ({e})"))?;
    if body
        .wishes
        .iter()
        .any(|w| w.hash.is_some() != matches!(w.wish, WishKind::Stopped))
    {
        return Err("is not understood (a wish without its group)".into());
    }
    if let Some(g) = (body.groups.iter()).find(|g| g.epoch.max(g.highest) > MAX_EPOCH) {
        let group = g.name.clone().unwrap_or_else(|| String::from(g.hash));
        return Err(format!("has an epoch of {group} that no pair ever reaches"));
    }
    Ok(body)
}

/// Over the compact form, in which serde_json writes an object's keys in order: so spaces do not
/// count, and everything else does.
fn digest(body: &serde_json::Value) -> String {
    Sha256::digest(body.to_string().as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Body {
    fn into_record(self) -> Record {
        let vif = |v: &Vif| VifRecord {
            id: VifId(v.hash.0),
            mac: v.mac.0,
            proven: v.proven,
        };
        Record {
            groups: self
                .groups
                .iter()
                .map(|g| GroupRecord {
                    id: GroupId(g.hash.0),
                    token: Token {
                        epoch: g.epoch,
                        holder: g.holder.into(),
                    },
                    highest: g.highest,
                    peer_failed: g.peer_failed,
                    failback_held: g.failback_held,
                })
                .collect(),
            failures: self
                .failures
                .iter()
                .map(|f| FailureRecord {
                    place: Place {
                        group: GroupId(f.group.0),
                        resource: ResourceId(f.resource.0),
                    },
                    count: f.count,
                })
                .collect(),
            peer_maintained: self.peer_maintained,
            intent: self.fencing,
            wishes: self
                .wishes
                .iter()
                .map(|w| {
                    let subject = match (w.wish, &w.hash) {
                        (WishKind::Maintenance, _) => WishSubject::Maintenance,
                        (WishKind::StandbyFirst, _) => WishSubject::Standby(Side::First),
                        (WishKind::StandbySecond, _) => WishSubject::Standby(Side::Second),
                        (WishKind::Stopped, hash) => {
                            WishSubject::Stopped(GroupId(hash.as_ref().map_or(0, |h| h.0)))
                        }
                    };
                    Wish {
                        subject,
                        given: [w.first, w.second].map(|given| given.map(Given::from)),
                    }
                })
                .collect(),
            vifs: self.interfaces.iter().map(vif).collect(),
        }
    }
}

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

impl From<Side> for DiskSide {
    fn from(side: Side) -> DiskSide {
        match side {
            Side::First => DiskSide::First,
            Side::Second => DiskSide::Second,
        }
    }
}

impl From<DiskSide> for Side {
    fn from(side: DiskSide) -> Side {
        match side {
            DiskSide::First => Side::First,
            DiskSide::Second => Side::Second,
        }
    }
}

impl From<Given> for DiskGiven {
    fn from(given: Given) -> DiskGiven {
        DiskGiven {
            tag: given.tag,
            taken_back: given.taken_back,
        }
    }
}

impl From<DiskGiven> for Given {
    fn from(given: DiskGiven) -> Given {
        Given {
            tag: given.tag,
            taken_back: given.taken_back,
        }
    }
}

impl From<Hex> for String {
    fn from(hex: Hex) -> String {
        format!("{:016x}", hex.0)
    }
}

impl TryFrom<String> for Hex {
    type Error = String;
    fn try_from(text: String) -> Result<Hex, String> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u64::from_str_radix(&text, 16).ok().filter(|_| digits);
        value
            .map(Hex)
            .ok_or_else(|| format!("`{text}` is not 16 hexadecimal digits"))
    }
}

impl From<DiskMac> for String {
    fn from(mac: DiskMac) -> String {
        mac.0.map(|byte| format!("{byte:02x}")).join(":")
    }
}

impl TryFrom<String> for DiskMac {
    type Error = String;
    fn try_from(text: String) -> Result<DiskMac, String> {
        let bytes: Option<Vec<u8>> = text
            .split(':')
            .map(|part| {
                u8::from_str_radix(part, 16)
                    .ok()
                    .filter(|_| part.len() == 2)
            })
            .collect();
        let mac = bytes.and_then(|bytes| bytes.try_into().ok());
        mac.map(DiskMac)
            .ok_or_else(|| format!("`{text}` is not a hardware address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

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
                },
                VifRecord {
                    id: VifId::of("dmz"),
                    mac: [0; 6],
                    proven: false,
                },
            ],
            failures: vec![FailureRecord {
                place: Place {
                    group: GroupId::of("web"),
                    resource: ResourceId::of("service nginx.service"),
                },
                count: 3,
            }],
            peer_maintained: true,
            intent: Some(1),
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
        let body = parse(std::str::from_utf8(text).ok()?).ok()?;
        Some(body.into_record())
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
            vifs in prop::collection::vec((any::<u64>(), any::<[u8; 6]>(), any::<bool>()), 2),
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
                vifs: vifs.into_iter().map(|(id, mac, proven)| VifRecord { id: VifId(id), mac, proven }).collect(),
                ..Record::default()
            };
            prop_assert_eq!(judge(render(&names(), &record).as_bytes()), Some(record));
        }
    }
}

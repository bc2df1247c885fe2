//! What stands on disk and may have been damaged there: state, status, history, pid file.

use ha_appliance::core::record::Record;
use ha_appliance::core::time::Time;
use ha_appliance::id::VifId;
use ha_appliance::shell::history;
use ha_appliance::shell::lock::{Holder, PidLock};
use ha_appliance::shell::state::{self, Names};
use ha_appliance::shell::status::{self, Style};
use ha_appliance::wire::heartbeat::Side;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// As it is, and once more with a right checksum around it: what no accident makes.
pub fn state(bytes: &[u8]) {
    let dir = Dir::new();
    loaded(&dir, bytes);
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let body = value.get("body").unwrap_or(&value);
    let sealed = json!({
        "format": "ha-appliance state", "version": 1, "sha256": checksum(body), "body": body,
    });
    loaded(&dir, sealed.to_string().as_bytes());
}

fn checksum(body: &Value) -> String {
    let sum = Sha256::digest(body.to_string().as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Either it is reported and moved aside whole, and nothing is remembered; or exactly what it says is.
fn loaded(dir: &Path, bytes: &[u8]) {
    let (path, aside) = (dir.join("state.json"), dir.join("state.json.bad-1"));
    fs::write(&path, bytes).unwrap();
    let names = Names {
        groups: vec!["web".into(), "mail".into()],
        vifs: vec![(VifId(1), "lan0".into())],
    };
    let peeked = state::peek(dir);
    let found = state::load(dir);
    if let Some(notice) = &found.notice {
        assert!(notice.contains("state.json.bad-1"), "{notice}");
        assert_eq!(fs::read(&aside).unwrap(), bytes);
        assert!(!path.exists());
        assert_eq!((&found.record, peeked), (&Record::default(), None));
        fs::remove_file(&aside).unwrap();
        return;
    }
    let said: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(said["sha256"], checksum(&said["body"]));
    let groups: Vec<Value> = found
        .record
        .groups
        .iter()
        .map(|group| {
            let holder = match group.token.holder {
                Side::First => "first",
                Side::Second => "second",
            };
            json!([
                format!("{:016x}", group.id.0),
                group.token.epoch,
                holder,
                group.highest
            ])
        })
        .collect();
    let told = said["body"]["groups"].as_array().unwrap();
    let told: Vec<Value> = told
        .iter()
        .map(|g| {
            let hash = g["hash"].as_str().unwrap().to_lowercase();
            json!([hash, g["epoch"], g["holder"], g["highest"]])
        })
        .collect();
    assert_eq!(groups, told);
    assert_eq!(peeked.unwrap().groups, found.record.groups);
    state::save(dir, &names, &found.record).unwrap();
    assert_eq!(state::load(dir), found);
}

/// Whatever is understood can be shown at any time.
pub fn status(bytes: &[u8]) {
    let dir = Dir::new();
    fs::write(dir.join("status.json"), bytes).unwrap();
    status::ran_before(&dir);
    let Ok(status) = status::load_once(&dir) else {
        return;
    };
    for now in [i64::MIN, 0, status.stamp_us, i64::MAX] {
        let (page, worst) = status::render(&status, Time(now), Style::default());
        assert!(page.starts_with("cluster"));
        let concerns = status::judge(&status, Time(now));
        assert!(concerns.iter().all(|concern| concern.severity <= worst));
    }
}

/// The latest lines that are whole, in their order.
pub fn history(bytes: &[u8]) {
    let dir = Dir::new();
    fs::write(dir.join("history.jsonl"), bytes).unwrap();
    let all = history::read(&dir, usize::MAX).unwrap();
    assert!(all.len() <= bytes.split(|byte| *byte == b'\n').count());
    for lines in [0, 1, 5] {
        let latest = history::read(&dir, lines).unwrap();
        assert_eq!(latest[..], all[all.len() - lines.min(all.len())..]);
    }
    for entry in &all {
        assert!(entry.to_string().ends_with(&entry.reason));
        let again = serde_json::to_string(entry).unwrap();
        assert!(!again.contains('\n'));
        assert_eq!(
            serde_json::from_str::<history::Entry>(&again).unwrap(),
            *entry
        );
    }
}

/// What stands in the pid file or the lock file means nothing: only the lock does.
pub fn pid(bytes: &[u8]) {
    let dir = Dir::new();
    let path = dir.join("ha-appliance.pid");
    fs::write(&path, bytes).unwrap();
    fs::write(dir.join("lock"), bytes).unwrap();
    assert!(Holder::find(&dir).unwrap().is_none());
    let lock = PidLock::acquire(&dir).unwrap();
    let me = format!("{}\n", std::process::id());
    assert_eq!(fs::read_to_string(&path).unwrap(), me);
    drop(lock);
}

/// An empty directory of this thread's own, in memory where there is such: removed when dropped.
pub(super) struct Dir(PathBuf);

impl Dir {
    pub(super) fn new() -> Dir {
        let memory = Path::new("/dev/shm");
        let parent = match memory.is_dir() {
            true => memory.to_owned(),
            false => std::env::temp_dir(),
        };
        let (process, thread) = (std::process::id(), std::thread::current().id());
        let dir = parent.join(format!("ha-appliance-fuzz-{process}-{thread:?}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        Dir(dir)
    }
}

impl Deref for Dir {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

//! Feeds a target, and keeps the input at which it fails.

use crate::mutate::Mutator;
use crate::targets::Target;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// An input that takes so long hangs; the longest takes milliseconds.
const HANGS: Duration = Duration::from_secs(20);
/// The process may need so much at its worst moment, in KiB: many times what the largest input needs.
const MOST_MEMORY: u64 = 256 * 1024;

/// The corpus as it is, then so many inputs made of it.
pub fn feed(name: &str, target: Target, inputs: usize) {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seed = number("SEED").unwrap_or(clock.unwrap().as_micros() as u64);
    let inputs = number("INPUTS").map_or(inputs, |n| n as usize);
    println!("SEED={seed}");
    let start = Instant::now();
    let meal = Meal::begin(name);
    let corpus = corpus(name);
    for bytes in &corpus {
        meal.serve(target, bytes);
    }
    let mut mutator = Mutator::new(seed, &corpus);
    for _ in 0..inputs {
        meal.serve(target, &mutator.input());
    }
    let most = memory();
    assert!(most < MOST_MEMORY, "{most} KiB were needed");
    let (kept, lasted) = (corpus.len(), start.elapsed());
    println!("{name}: {kept} kept inputs and {inputs} made ones in {lasted:.1?}");
}

/// What is fed now and since when; when the target panics or hangs, it is written to a file.
struct Meal {
    name: String,
    now: Arc<Mutex<(Instant, Vec<u8>)>>,
}

impl Meal {
    fn begin(name: &str) -> Meal {
        let now = Arc::new(Mutex::new((Instant::now(), Vec::new())));
        let watched = Arc::downgrade(&now);
        let owned = name.to_owned();
        thread::spawn(move || watch(&owned, &watched));
        Meal {
            name: name.to_owned(),
            now,
        }
    }

    fn serve(&self, target: Target, bytes: &[u8]) {
        *self.now.lock().unwrap() = (Instant::now(), bytes.to_vec());
        target(bytes);
    }
}

impl Drop for Meal {
    fn drop(&mut self) {
        if thread::panicking() {
            keep(&self.name, &self.now.lock().unwrap().1);
        }
    }
}

/// Ends the process when an input hangs: nothing else would end it.
fn watch(name: &str, now: &Weak<Mutex<(Instant, Vec<u8>)>>) {
    while let Some(now) = now.upgrade() {
        let meal = now.lock().unwrap();
        if meal.0.elapsed() > HANGS {
            eprintln!("{name}: an input hangs");
            keep(name, &meal.1);
            std::process::abort();
        }
        drop(meal);
        thread::sleep(Duration::from_millis(100));
    }
}

fn keep(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("failed-{name}"));
    fs::write(&path, bytes).unwrap();
    let path = path.display();
    eprintln!("the input that failed: {path}; keep it as tests/fuzz/corpus/{name}/failed-WHAT");
}

/// What was captured of a kind, as it was.
pub fn captured(name: &str) -> Vec<Vec<u8>> {
    let files = files(name).into_iter();
    let captured = |file: &PathBuf| {
        file.file_name()
            .unwrap()
            .to_string_lossy()
            .contains("captured")
    };
    let captured: Vec<_> = files
        .filter(captured)
        .map(|f| fs::read(f).unwrap())
        .collect();
    assert!(!captured.is_empty());
    captured
}

/// What is kept for a target.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let files = files(name).into_iter();
    files.map(|file| fs::read(file).unwrap()).collect()
}

/// In the order of their names.
fn files(name: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let entries = fs::read_dir(dir.join(name)).expect("a corpus");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The most memory that this process ever had, in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let words = line.unwrap().trim().trim_end_matches(" kB");
    words.parse().unwrap()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

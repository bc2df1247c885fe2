//! What the shell's tests share: directories of their own, and processes of their own.

use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// An empty directory, removed when dropped.
pub(crate) struct TestDir(PathBuf);

impl TestDir {
    pub(crate) fn new() -> TestDir {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("ha-appliance-test-{}-{n}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        TestDir(path)
    }
}

impl Deref for TestDir {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running helper; killed when dropped.
pub(crate) struct Helper(Child);

impl Helper {
    pub(crate) fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs one ignored test of this very program in a process of its own and waits until it calls
/// [`ready`]: process-wide things (locks, signal masks) need that.
pub(crate) fn in_child(test: &str, dir: &Path) -> Helper {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // The harness starts threads before the test runs, and a signal to a process goes to any thread
    // that does not block it: so all are born with everything blocked.
    // SAFETY: both calls are async-signal-safe and touch only local memory.
    unsafe {
        command.pre_exec(|| {
            let mut all: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::sigprocmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
            Ok(())
        });
    }
    let helper = Helper(command.spawn().unwrap());
    wait_until(|| dir.join("ready").exists());
    helper
}

/// The body of such a test; nothing where `in_child` did not start it.
pub(crate) fn child(body: impl FnOnce(&Path)) {
    if let Some(dir) = std::env::var_os(DIR) {
        body(Path::new(&dir));
    }
}

/// The helper got so far.
pub(crate) fn ready(dir: &Path) {
    std::fs::write(dir.join("ready"), "").unwrap();
}

/// Puts an executable copy of that file there. By another process: whoever executes a file that is open for
/// writing is refused (ETXTBSY), and what this process has open for a moment, a child that another test forks
/// in that moment has open until it executes its own program.
#[allow(dead_code)] // each test program uses its part
pub(crate) fn install(from: &Path, to: &Path) {
    let mut command = Command::new("install");
    let installed = command.args(["-m", "755", "--"]).args([from, to]).status();
    assert!(installed.unwrap().success());
}

/// Puts an executable program with that text there.
#[allow(dead_code)]
pub(crate) fn script(text: &str, to: &Path) {
    let source = to.with_extension("text");
    std::fs::write(&source, text).unwrap();
    install(&source, to);
}

/// Lets this process open no descriptor whose number is not below that.
#[allow(dead_code)]
pub(crate) fn limit_descriptors(at_most: u64) {
    let limit = libc::rlimit {
        rlim_cur: at_most,
        rlim_max: 1024,
    };
    // SAFETY: a valid structure.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    assert_eq!(set, 0);
}

/// Waits for something that other processes do.
pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

const DIR: &str = "HA_APPLIANCE_TEST_DIR";

//! Two anonymous network namespaces joined by a cable.
//!
//! They have no name and no process of their own: the kernel frees them with the last descriptor,
//! so nothing is left behind by a test that fails or is killed.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{process, thread};

/// This node and its peer, each with an `eth0` at the cable's two ends: 10.77.0.1 and fd77::1 here,
/// .2 there.
pub struct Pair {
    pub ours: Namespace,
    pub peer: Namespace,
}

pub struct Namespace {
    file: File,
}

impl Pair {
    pub fn new() -> Self {
        let pair = Self {
            ours: Namespace::new(),
            peer: Namespace::new(),
        };
        let peer = format!("/proc/{}/fd/{}", process::id(), pair.peer.file.as_raw_fd());
        pair.ours.ip(&format!(
            "link add eth0 type veth peer name eth0 netns {peer}"
        ));
        for (namespace, host) in [(&pair.ours, 1), (&pair.peer, 2)] {
            namespace.ip("link set lo up");
            namespace.ip("link set eth0 up");
            namespace.ip(&format!("addr add 10.77.0.{host}/24 dev eth0"));
            namespace.ip(&format!("addr add fd77::{host}/64 dev eth0 nodad"));
        }
        pair
    }
}

impl Namespace {
    pub fn new() -> Self {
        // SAFETY: no arguments.
        let user = unsafe { libc::geteuid() };
        assert_eq!(
            user, 0,
            "these tests need root: they make network namespaces"
        );
        let file = thread::spawn(|| {
            // SAFETY: changes this thread's namespace only, and the thread ends here.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "unshare");
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        Self {
            file: file.join().unwrap(),
        }
    }

    /// Runs this in the namespace; sockets opened by it stay there.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let run = || {
            // SAFETY: changes this thread's namespace only, and the thread ends with the work.
            let entered = unsafe { libc::setns(self.file.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(entered, 0, "setns");
            work()
        };
        let done = thread::scope(|scope| scope.spawn(run).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs `ip` with these words and gives what it prints.
    pub fn ip(&self, words: &str) -> String {
        self.run(|| ip(words))
    }
}

/// Runs `ip` in the calling thread's namespace.
pub fn ip(words: &str) -> String {
    let output = Command::new("ip")
        .args(words.split_whitespace())
        .output()
        .expect("these tests need iproute2's `ip`");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asks until there is an answer, or fails after ten seconds.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    ask_for(Duration::from_secs(10), &mut ask).unwrap_or_else(|| panic!("never: {what}"))
}

/// Asks for a while; for what must not come.
pub fn within<T>(time: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    ask_for(time, &mut ask)
}

fn ask_for<T>(time: Duration, ask: &mut dyn FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + time;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() > end {
            return None;
        }
        thread::sleep(Duration::from_micros(200));
    }
}

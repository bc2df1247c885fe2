//! The few system calls that std does not offer: one clock, namespaces, priorities, signals.

use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

/// Microseconds of CLOCK_MONOTONIC. Every namespace of the machine shares this clock, so stamps
/// taken for both nodes can be compared.
pub type Micros = u64;

/// The time now.
pub fn now() -> Micros {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `t` is a valid timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000 + t.tv_nsec as u64 / 1000
}

/// The time from `from` until now.
pub fn since(from: Micros) -> Duration {
    Duration::from_micros(now().saturating_sub(from))
}

/// Where a named network namespace is pinned, as `ip netns` does it.
pub fn netns_path(name: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(name)
}

/// Moves this thread, and only this thread, into a network namespace.
pub fn enter(name: &str) -> io::Result<()> {
    let file = std::fs::File::open(netns_path(name))?;
    // SAFETY: a plain system call on an open descriptor.
    check(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

/// Runs `f` inside a network namespace, on a thread of its own. What `f` opens (sockets, files
/// under /proc/sys/net) stays bound to that namespace and may be returned.
pub fn within<T: Send>(name: &str, f: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                enter(name)?;
                f()
            })
            .join()
            .expect("code in a namespace does not panic")
    })
}

/// Makes a spawned command start in a network namespace, in a process group of its own, and as a
/// member of `cgroups`, so that the node it belongs to can be frozen whole.
pub fn place(
    command: &mut std::process::Command,
    netns: &str,
    cgroups: &[PathBuf],
) -> io::Result<()> {
    use std::os::unix::process::CommandExt;
    let netns = c_path(netns_path(netns));
    let procs = cgroups
        .iter()
        .map(|group| c_path(group.join("cgroup.procs")));
    let procs: Vec<CString> = procs.collect();
    let enter = move || {
        // SAFETY: only async-signal-safe calls, on strings made before the fork.
        unsafe {
            let fd = check(libc::open(netns.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC))?;
            check(libc::setns(fd, libc::CLONE_NEWNET))?;
            for procs in &procs {
                let fd = check(libc::open(procs.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC))?;
                if libc::write(fd, c"0".as_ptr().cast(), 1) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
        }
        Ok(())
    };
    command.process_group(0);
    // SAFETY: `enter` allocates nothing and takes no lock.
    unsafe { command.pre_exec(enter) };
    Ok(())
}

/// Makes a spawned command die with the thread that spawns it.
pub fn die_with_parent(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    let tie = || {
        // SAFETY: a plain system call.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }).map(drop)
    };
    // SAFETY: it allocates nothing and takes no lock.
    unsafe { command.pre_exec(tie) };
}

/// Gives this thread real-time priority: what the lab observes must not be late because the
/// machine is busy. Without the right to do so the lab goes on, with coarser stamps.
pub fn realtime() {
    let param = libc::sched_param { sched_priority: 20 };
    // SAFETY: `param` is valid; 0 is this thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &param) };
}

/// Waits until any descriptor is ready, at most so long and never a second.
pub fn poll(descriptors: &mut [libc::pollfd], microseconds: Micros) {
    let timeout = libc::timespec {
        tv_sec: 0,
        tv_nsec: (microseconds.min(999_999) * 1000) as i64,
    };
    let count = descriptors.len() as libc::nfds_t;
    // SAFETY: so many valid entries, and a valid timespec.
    unsafe { libc::ppoll(descriptors.as_mut_ptr(), count, &timeout, std::ptr::null()) };
}

/// Sends a signal; a process that is gone is no error.
pub fn kill(pid: u32, signal: i32) {
    // SAFETY: a plain system call.
    unsafe { libc::kill(pid as i32, signal) };
}

/// Limits how many descriptors a process may have from now on; gives the limit before.
pub fn limit_descriptors(pid: u32, at_most: u64) -> io::Result<u64> {
    let mut before = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both structures are valid.
    unsafe {
        let of = libc::RLIMIT_NOFILE;
        check(libc::prlimit(pid as i32, of, std::ptr::null(), &mut before))?;
        let new = libc::rlimit {
            rlim_cur: at_most,
            ..before
        };
        check(libc::prlimit(pid as i32, of, &new, std::ptr::null_mut()))?;
    }
    Ok(before.rlim_cur)
}

/// Turns the -1 of a system call into the error it stands for.
pub fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// A random number, seeded by the kernel.
pub fn random(below: u64) -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: the buffer has the length given.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    u64::from_ne_bytes(bytes) % below.max(1)
}

fn c_path(path: PathBuf) -> CString {
    CString::new(path.into_os_string().into_encoded_bytes()).expect("a path without NUL")
}

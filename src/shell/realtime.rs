//! Keeps the daemon from being late: memory that is not paged out, and a turn before everybody else.
//!
//! A heartbeat 500 ms late costs a takeover; at an interval of 10 ms, 30 ms do. Neither helps
//! against a hypervisor that stops the whole machine: that is what lease lifetimes are for.

use crate::sys;
use std::io;
use std::thread;

/// Locks what memory is used, and takes a low real-time priority. What fails (no privilege) is a
/// warning: everything works without, only later under load.
pub fn enter() {
    // One arena: with several, glibc maps 64 MB for each thread, and MCL_FUTURE would lock it.
    sys::single_arena();
    if let Err(error) = sys::lock_memory() {
        log::warn!("memory cannot be locked ({error}): give the unit CAP_IPC_LOCK");
    }
    if let Err(error) = sys::real_time(LOOP) {
        log::warn!(
            "no real-time priority ({error}): heartbeats may be late under load; give the unit CAP_SYS_NICE"
        );
    }
}

/// Does this work, by that name, in a thread with a real-time priority behind that of the loop, with which it shares a
/// lock: while it holds that, nobody without such a priority may keep it from going on. Without the right to it nothing
/// is said, [`enter`] has said so.
pub fn spawn_behind(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.into()).stack_size(STACK);
    thread.spawn(|| {
        let _ = sys::real_time(BEHIND);
        work();
    })?;
    Ok(())
}

const LOOP: i32 = 2;
const BEHIND: i32 = 1;
/// What an ioctl, a look at the kernel's tables, or a message to it needs, and some: all of it is locked memory.
const STACK: usize = 256 * 1024;

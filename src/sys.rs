//! The system calls that the standard library does not offer, each in the smallest safe wrapper.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Microseconds of CLOCK_BOOTTIME.
pub(crate) fn boottime_us() -> i64 {
    clock_us(libc::CLOCK_BOOTTIME)
}

/// Microseconds of CLOCK_MONOTONIC, which systemd's stamps are of: it stands still in suspend.
pub(crate) fn monotonic_us() -> i64 {
    clock_us(libc::CLOCK_MONOTONIC)
}

/// An empty epoll set.
pub(crate) fn epoll() -> io::Result<OwnedFd> {
    // SAFETY: a number in, a descriptor or -1 out.
    let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds a descriptor to an epoll set, for that alone (EPOLLIN: for reading; EPOLLPRI: for what is exceptional about it,
/// such as another mount table); it leaves when it is closed.
pub(crate) fn epoll_add(set: &OwnedFd, descriptor: BorrowedFd, what: i32) -> io::Result<()> {
    let fd = descriptor.as_raw_fd();
    let mut event = libc::epoll_event {
        events: what as u32,
        u64: fd as u64,
    };
    // SAFETY: `event` is valid and only read.
    check(unsafe { libc::epoll_ctl(set.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) })
        .map(drop)
}

/// Waits without end for a descriptor of the set; which one is not told. A signal ends it as well.
pub(crate) fn epoll_wait(set: &OwnedFd) -> io::Result<()> {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: room for one event, and one is asked for.
    match check(unsafe { libc::epoll_wait(set.as_raw_fd(), &mut event, 1, -1) }) {
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
        other => other.map(drop),
    }
}

/// A timer on CLOCK_BOOTTIME, not set.
pub(crate) fn timerfd() -> io::Result<OwnedFd> {
    let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
    // SAFETY: numbers in, a descriptor or -1 out.
    let fd = check(unsafe { libc::timerfd_create(libc::CLOCK_BOOTTIME, flags) })?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes the timer readable from that moment on, in microseconds above zero of its clock.
pub(crate) fn timerfd_set(timer: &OwnedFd, moment: i64) -> io::Result<()> {
    // SAFETY: zero bytes are a valid itimerspec.
    let mut value: libc::itimerspec = unsafe { std::mem::zeroed() };
    value.it_value.tv_sec = moment / 1_000_000;
    value.it_value.tv_nsec = moment % 1_000_000 * 1000;
    // SAFETY: `value` is valid and only read; nothing is written back.
    check(unsafe {
        libc::timerfd_settime(
            timer.as_raw_fd(),
            libc::TFD_TIMER_ABSTIME,
            &value,
            std::ptr::null_mut(),
        )
    })
    .map(drop)
}

/// An event counter at zero.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: numbers in, a descriptor or -1 out.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes an event counter readable.
pub(crate) fn counter_add(counter: &OwnedFd) {
    let one = 1u64;
    // SAFETY: eight live bytes are read. It can only fail because it is readable already.
    unsafe { libc::write(counter.as_raw_fd(), (&raw const one).cast(), 8) };
}

/// Makes an event counter or a timer not readable.
pub(crate) fn counter_clear(counter: &OwnedFd) {
    let mut count = 0u64;
    // SAFETY: eight live bytes may be written. It can only fail because there is nothing to clear.
    unsafe { libc::read(counter.as_raw_fd(), (&raw mut count).cast(), 8) };
}

/// Makes all threads share one malloc arena.
pub(crate) fn single_arena() {
    // SAFETY: two numbers; documented to be safe before or after threads start.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Locks every page of the process, now and later, from when it is first touched.
pub(crate) fn lock_memory() -> io::Result<()> {
    // SAFETY: a number.
    check(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) })
        .map(drop)
}

/// Puts this thread before all that have no real-time priority, or a lower one; what it starts is normal
/// again.
pub(crate) fn real_time(priority: i32) -> io::Result<()> {
    let priority = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: `priority` is valid and only read; 0 is the calling thread.
    check(unsafe {
        libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &priority)
    })
    .map(drop)
}

/// Renames without ever replacing: EEXIST if `to` is there.
pub(crate) fn rename_noreplace(from: &Path, to: &Path) -> io::Result<()> {
    let from = CString::new(from.as_os_str().as_bytes())?;
    let to = CString::new(to.as_os_str().as_bytes())?;
    // SAFETY: both are NUL-terminated and outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            from.as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            libc::RENAME_NOREPLACE,
        )
    })
    .map(drop)
}

/// Takes a write lock on the whole file, or fails with EAGAIN or EACCES.
pub(crate) fn lock_whole(file: &File) -> io::Result<()> {
    let lock = whole_file();
    // SAFETY: `lock` is a valid flock that the call only reads.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &lock) }).map(drop)
}

/// The process that holds [`lock_whole`] on the file; None: nobody. 0: one that this pid namespace
/// does not see. The caller's own lock does not count.
pub(crate) fn lock_holder(file: &File) -> io::Result<Option<i32>> {
    let mut lock = whole_file();
    // SAFETY: `lock` is a valid flock for the call to overwrite.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &mut lock) })?;
    Ok((lock.l_type != libc::F_UNLCK as libc::c_short).then_some(lock.l_pid))
}

/// Makes sure that the process's memory ends up in no core and is read by no debugger but root's. Programs
/// that it starts are not concerned: the kernel takes it back at execve(2).
pub(crate) fn hide_memory() {
    // SAFETY: numbers. It cannot fail with these.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// Whether the kernel would let this process execute the file: its mode, the directories above it, `noexec`.
pub(crate) fn may_execute(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::AT_EACCESS;
    // SAFETY: the path is NUL-terminated and outlives the call.
    check(unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, flags) }).map(drop)
}

/// A list of rights stands beside the file's mode, or there may be one.
pub(crate) fn has_acl(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return true;
    };
    let name = c"system.posix_acl_access";
    // SAFETY: both strings are NUL-terminated and outlive the call; no room for a value is offered.
    let size = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) };
    let error = io::Error::last_os_error().raw_os_error();
    size >= 0 || !matches!(error, Some(libc::ENODATA | libc::EOPNOTSUPP))
}

/// Whose permissions count.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: it cannot fail and touches no memory.
    unsafe { libc::geteuid() }
}

/// A file descriptor that means this process and never a later one with the same number.
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers in, a descriptor or -1 out.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel just made this descriptor for us; it is close-on-exec from birth.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Queues a signal with a number as its value (si_code SI_QUEUE, as sigqueue(3) does, but through a
/// pidfd).
pub(crate) fn pidfd_queue(pidfd: &OwnedFd, signal: i32, value: u32) -> io::Result<()> {
    /// The head of siginfo_t as the kernel lays it out for SI_QUEUE; libc does not let one set it.
    #[repr(C)]
    struct Queued {
        signo: i32,
        errno: i32,
        code: i32,
        /// On 64-bit machines the union is aligned to 8 bytes.
        #[cfg(target_pointer_width = "64")]
        align: i32,
        pid: i32,
        uid: u32,
        /// The union sigval: its int is its first four bytes on every byte order.
        value: u32,
    }
    // SAFETY: siginfo_t is plain data, for which all zeroes is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: getpid and getuid cannot fail and touch no memory.
    let (pid, uid) = unsafe { (libc::getpid(), libc::getuid()) };
    let queued = Queued {
        signo: signal,
        errno: 0,
        code: libc::SI_QUEUE,
        #[cfg(target_pointer_width = "64")]
        align: 0,
        pid,
        uid,
        value,
    };
    const { assert!(size_of::<Queued>() <= size_of::<libc::siginfo_t>()) };
    // SAFETY: `Queued` fits into siginfo_t (asserted above), whose alignment is at least its own.
    unsafe { (&raw mut info).cast::<Queued>().write(queued) };
    // SAFETY: the descriptor is open and `info` is valid for the call to read.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            &raw const info,
            0,
        )
    })
    .map(drop)
}

/// Whether the process behind the pidfd has ended.
pub(crate) fn pidfd_ended(pidfd: &OwnedFd) -> bool {
    let mut poll = libc::pollfd {
        fd: pidfd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid pollfd, and a timeout of zero: it does not wait.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 }
}

/// Blocks the signals in this thread (and those it starts) and gives a descriptor to read them from.
pub(crate) fn signalfd(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: sigset_t is plain data; sigemptyset initialises it, sigaddset gets valid numbers.
    let set = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for &signal in signals {
            libc::sigaddset(&mut set, signal);
        }
        set
    };
    // SAFETY: `set` is initialised; the old mask is not asked for.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    // SAFETY: `set` is initialised; -1 asks for a new descriptor.
    let fd = check(unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) })?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// One signal from a signalfd: its number, si_code and si_int.
pub(crate) fn signalfd_read(fd: &impl AsRawFd) -> io::Result<(i32, i32, u32, Sender)> {
    // SAFETY: signalfd_siginfo is plain data, for which all zeroes is valid.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    // SAFETY: the buffer is `info`, as long as told.
    let read = check(unsafe {
        libc::read(
            fd.as_raw_fd(),
            (&raw mut info).cast(),
            size_of::<libc::signalfd_siginfo>(),
        )
    })?;
    // The kernel gives whole structures only.
    assert_eq!(read as usize, size_of::<libc::signalfd_siginfo>());
    let sender = Sender {
        pid: info.ssi_pid as i32,
        uid: info.ssi_uid,
    };
    Ok((
        info.ssi_signo as i32,
        info.ssi_code,
        info.ssi_int as u32,
        sender,
    ))
}

/// Who sent a signal, by his own account: for people's eyes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The process; 0: the kernel, or a process of another namespace.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
}

/// A pipe: its reading and its writing end.
pub(crate) fn pipe() -> io::Result<(File, File)> {
    let mut ends = [-1; 2];
    // SAFETY: room for the two descriptors the call writes.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: the kernel just made both descriptors for us.
    Ok(unsafe { (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])) })
}

/// Writes what the other end takes at once; EAGAIN if that is nothing. Unlike O_NONBLOCK this says nothing
/// to others who have the same pipe or terminal open.
pub(crate) fn write_now(to: BorrowedFd, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the bytes are live and as many as told.
    let sent = unsafe { libc::send(to.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
    match check(sent) {
        Err(e) if e.raw_os_error() == Some(libc::ENOTSOCK) => {}
        other => return other.map(|n| n as usize),
    }
    let mut poll = libc::pollfd {
        fd: to.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one valid pollfd, and a timeout of zero: it does not wait.
    if unsafe { libc::poll(&mut poll, 1, 0) } != 1 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    // A pipe that polls as writable has room for one page.
    let piece = &bytes[..bytes.len().min(4096)];
    // SAFETY: the bytes are live and as many as told.
    check(unsafe { libc::write(to.as_raw_fd(), piece.as_ptr().cast(), piece.len()) })
        .map(|n| n as usize)
}

/// Makes a pipe with a name, which only its owner may open.
pub(crate) fn make_pipe(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is NUL-terminated and outlives the call.
    check(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }).map(drop)
}

/// Waits for any of these to be readable or at its end, at the longest so long; which ones.
pub(crate) fn wait_readable(any: &[BorrowedFd], limit: Duration) -> io::Result<Vec<bool>> {
    let entry = |fd: &BorrowedFd| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polled: Vec<libc::pollfd> = any.iter().map(entry).collect();
    // Rounded up: one that wakes just before its time would turn in circles.
    let limit = limit.as_micros().div_ceil(1000).min(60_000) as i32;
    // SAFETY: as many valid entries as told.
    match check(unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as u64, limit) }) {
        Err(e) if e.kind() != io::ErrorKind::Interrupted => Err(e),
        _ => Ok(polled.iter().map(|entry| entry.revents != 0).collect()),
    }
}

/// Makes this process the parent of whatever its descendants leave behind.
pub(crate) fn adopt_orphans() {
    // SAFETY: numbers; it cannot fail since Linux 3.4.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
}

/// This process's children, those that it adopted among them.
pub(crate) fn children() -> Vec<i32> {
    let me = std::process::id();
    let numbers = |text: String| -> Vec<i32> {
        let words = text.split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    match std::fs::read_to_string(format!("/proc/{me}/task/{me}/children")) {
        Ok(list) => numbers(list),
        // A kernel without CONFIG_PROC_CHILDREN.
        Err(_) => std::fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| stat(*pid).is_some_and(|(_, parent)| parent == me))
            .collect(),
    }
}

/// Takes note of the end of every child that has ended.
pub(crate) fn bury_children() {
    // SAFETY: no status is asked for, and it does not wait.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

/// Whether a signal (SIGSTOP) or a tracer keeps a process from running.
pub(crate) fn is_stopped(pid: u32) -> bool {
    stat(pid as i32).is_some_and(|(state, _)| matches!(state, 'T' | 't'))
}

/// A process's state and parent: `pid (name) state parent …`, and the name may hold anything.
fn stat(pid: i32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat.rsplit_once(") ")?.1.split(' ');
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

/// Gives up this process's rights for those of a user. For a child between fork and exec: plain calls,
/// which the C library would pass on to threads that are not there.
pub(crate) fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    // SAFETY: as many groups as told, and numbers.
    unsafe {
        check(libc::syscall(
            libc::SYS_setgroups,
            groups.len(),
            groups.as_ptr(),
        ))?;
        check(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
    }
    Ok(())
}

/// Ignores SIGPIPE: writing to whoever hung up is an error, not death.
pub(crate) fn ignore_sigpipe() {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Kills a process. One that is gone already is no error.
pub(crate) fn kill(pid: i32) {
    assert!(pid > 1, "not PID 1, and no group");
    // SAFETY: plain numbers.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// The kernel's name for this host.
pub(crate) fn host_name() -> String {
    let mut name = [0u8; 65];
    // SAFETY: a buffer with its length, whose last byte stays zero.
    unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).trim().to_owned()
}

/// Kills a process group. One that is gone already is no error.
pub(crate) fn kill_group(leader: u32) {
    let leader = leader as i32;
    assert!(
        leader > 1,
        "0, 1 and negative numbers mean other processes than ours"
    );
    // SAFETY: plain numbers; the group is that of a child which we have not reaped.
    unsafe { libc::kill(-leader, libc::SIGKILL) };
}

/// A descriptor from which the names of these directories' entries can be read when they come or go.
pub(crate) fn inotify(directories: &[impl AsRef<Path>]) -> io::Result<File> {
    // SAFETY: a number in, a descriptor or -1 out.
    let fd = check(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
    // SAFETY: the kernel just made this descriptor for us.
    let file = unsafe { File::from_raw_fd(fd) };
    let mask = libc::IN_CREATE | libc::IN_MOVED_TO | libc::IN_DELETE | libc::IN_ONLYDIR;
    for directory in directories {
        let path = CString::new(directory.as_ref().as_os_str().as_bytes())?;
        // SAFETY: the path is NUL-terminated and outlives the call.
        check(unsafe { libc::inotify_add_watch(file.as_raw_fd(), path.as_ptr(), mask) })?;
    }
    Ok(file)
}

fn clock_us(clock: libc::clockid_t) -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid timespec for the call to fill; both clocks exist since Linux 2.6.39.
    let result = unsafe { libc::clock_gettime(clock, &mut now) };
    assert_eq!(result, 0, "clock {clock} is missing");
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

fn whole_file() -> libc::flock {
    // SAFETY: flock is plain data, for which all zeroes is valid: from the start, of any length.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock
}

/// The kernel's convention: negative is an error, told by errno.
fn check<T: Default + PartialOrd>(result: T) -> io::Result<T> {
    if result < T::default() {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
/// Rows and columns of the terminal that is stdout; none: it is no terminal, or does not tell.
pub(crate) fn window_size() -> Option<(usize, usize)> {
    // SAFETY: winsize is plain data, for which all zeroes is valid.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes a winsize to where it is pointed.
    check(unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) }).ok()?;
    let (rows, columns) = (usize::from(size.ws_row), usize::from(size.ws_col));
    (rows > 0 && columns > 0).then_some((rows, columns))
}

/// A terminal whose keys are read one by one, until this is dropped.
#[derive(Debug)]
pub(crate) struct Screen {
    /// As it was before; none: stdin is no terminal.
    before: Option<Termios>,
}

struct Termios(libc::termios);

impl std::fmt::Debug for Termios {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Termios")
    }
}

impl Screen {
    /// That of stdin, if it is one.
    pub(crate) fn open() -> Screen {
        // SAFETY: termios is plain data, for which all zeroes is valid.
        let mut now: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: the call writes a termios to where it is pointed.
        let terminal = check(unsafe { libc::tcgetattr(libc::STDIN_FILENO, &raw mut now) });
        let before = terminal.ok().map(|_| Termios(now));
        if before.is_some() {
            // Not ISIG either: who ends it by Ctrl-C wants his terminal back as it was.
            now.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG);
            // SAFETY: the call reads a termios.
            unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const now) };
        }
        Screen { before }
    }

    /// Rows and columns, where stdout is a terminal.
    pub(crate) fn size(&self) -> Option<(usize, usize)> {
        window_size()
    }

    /// The key that is typed within that time.
    pub(crate) fn key_within(&self, time: Duration) -> Option<u8> {
        if self.before.is_none() {
            std::thread::sleep(time);
            return None;
        }
        let mut poll = libc::pollfd {
            fd: libc::STDIN_FILENO,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd.
        let ready = unsafe { libc::poll(&mut poll, 1, time.as_millis() as i32) };
        let mut key = [0];
        let read = ready == 1 && io::Read::read(&mut io::stdin(), &mut key).is_ok_and(|n| n == 1);
        match (ready, read) {
            (1, true) => Some(key[0]),
            // At its end there is nothing to wait for.
            (1, false) => {
                std::thread::sleep(time);
                None
            }
            _ => None,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(Termios(before)) = &self.before {
            // SAFETY: the call reads a termios.
            unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, before) };
        }
    }
}

/// Locks the whole file for as long as somebody has this very opening of it, children that inherit it among them;
/// fails with EWOULDBLOCK where others hold it. `shared`: with others who share it.
pub(crate) fn lock_opening(file: &File, shared: bool) -> io::Result<()> {
    let how = if shared { libc::LOCK_SH } else { libc::LOCK_EX };
    // SAFETY: numbers.
    check(unsafe { libc::flock(file.as_raw_fd(), how | libc::LOCK_NB) }).map(drop)
}

/// Children get this descriptor too.
pub(crate) fn inherit(descriptor: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: numbers.
    check(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, 0) }).map(drop)
}

/// mount(2).
pub(crate) fn mount(
    source: &str,
    point: &str,
    kind: &str,
    flags: u64,
    data: &str,
) -> io::Result<()> {
    let [source, point, kind, data] = [source, point, kind, data].map(CString::new);
    let (source, point, kind, data) = (source?, point?, kind?, data?);
    // SAFETY: all are NUL-terminated and outlive the call.
    check(unsafe {
        libc::mount(
            source.as_ptr(),
            point.as_ptr(),
            kind.as_ptr(),
            flags as libc::c_ulong,
            data.as_ptr().cast(),
        )
    })
    .map(drop)
}

/// umount2(2): never by force, never later, and no symbolic link is followed.
pub(crate) fn unmount(point: &str) -> io::Result<()> {
    let point = CString::new(point)?;
    // SAFETY: it is NUL-terminated and outlives the call.
    check(unsafe { libc::umount2(point.as_ptr(), libc::UMOUNT_NOFOLLOW) }).map(drop)
}

/// Writes back all of the file system that the file is on.
pub(crate) fn sync_file_system(file: &File) -> io::Result<()> {
    // SAFETY: a number.
    check(unsafe { libc::syncfs(file.as_raw_fd()) }).map(drop)
}

/// Sends a signal through a pidfd.
pub(crate) fn pidfd_signal(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open; without siginfo the kernel fills in its own.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            none,
            0,
        )
    })
    .map(drop)
}

/// A process's state, such as 'D'; none: it is gone.
pub(crate) fn state(pid: i32) -> Option<char> {
    stat(pid).map(|(state, _)| state)
}

//! Holds the kernel's network lock (RTNL), as long deletions of interfaces or large tables do.
//!
//! ETHTOOL_GLINK writes its answer while it holds the lock. The answer is to go into a page that is not
//! there, and that userfaultfd(2) brings only when the time is over.

use crate::sys::check;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Holds it for so long; returns when it is free again.
pub fn rtnl(during: Duration) -> io::Result<()> {
    let memory = Memory::new()?;
    let faults = userfault(&memory)?;
    let question = memory.question();
    std::thread::scope(|scope| {
        let asker = scope.spawn(move || ask(question));
        std::thread::sleep(during);
        memory.bring(&faults)?;
        asker.join().expect("it only asks")
    })
}

const PAGE: usize = 4096;

/// Two pages, of which the second is missing.
struct Memory(*mut libc::c_void);

impl Memory {
    fn new() -> io::Result<Memory> {
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: new memory wherever the kernel likes.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), 2 * PAGE, access, kind, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Memory(at))
    }

    fn second_page(&self) -> u64 {
        self.0 as u64 + PAGE as u64
    }

    /// `struct ethtool_value` across the border: the command is in the first page, the answer goes into the
    /// second.
    fn question(&self) -> usize {
        const ETHTOOL_GLINK: u32 = 0x0a;
        let at = self.0 as usize + PAGE - size_of::<u32>();
        // SAFETY: the last four bytes of the first page are ours.
        unsafe { (at as *mut u32).write(ETHTOOL_GLINK) };
        at
    }

    fn bring(&self, faults: &OwnedFd) -> io::Result<()> {
        const UFFDIO_ZEROPAGE: u64 = 0xc020_aa04;
        let mut page: [u64; 4] = [self.second_page(), PAGE as u64, 0, 0];
        // SAFETY: `page` is a valid struct uffdio_zeropage.
        check(unsafe { libc::ioctl(faults.as_raw_fd(), UFFDIO_ZEROPAGE as _, &mut page) }).map(drop)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: nobody uses it any more.
        unsafe { libc::munmap(self.0, 2 * PAGE) };
    }
}

fn userfault(memory: &Memory) -> io::Result<OwnedFd> {
    const UFFDIO_API: u64 = 0xc018_aa3f;
    const UFFDIO_REGISTER: u64 = 0xc020_aa00;
    let mut api: [u64; 3] = [0xaa, 0, 0];
    let missing = 1;
    let mut range: [u64; 4] = [memory.second_page(), PAGE as u64, missing, 0];
    // SAFETY: the descriptor is new and ours; both structures have the sizes in the requests' numbers.
    unsafe {
        let fd = check(libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) as i32)?;
        let fd = OwnedFd::from_raw_fd(fd);
        check(libc::ioctl(fd.as_raw_fd(), UFFDIO_API as _, &mut api))?;
        check(libc::ioctl(
            fd.as_raw_fd(),
            UFFDIO_REGISTER as _,
            &mut range,
        ))?;
        Ok(fd)
    }
}

/// Asks for the carrier of `lo`; the answer goes to `question`.
fn ask(question: usize) -> io::Result<()> {
    // SAFETY: all zero is a valid ifreq, and the question outlives the call.
    unsafe {
        let fd = check(libc::socket(
            libc::AF_INET,
            libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
            0,
        ))?;
        let fd = OwnedFd::from_raw_fd(fd);
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[..2].copy_from_slice(&[b'l', b'o'].map(|c| c as libc::c_char));
        request.ifr_ifru.ifru_data = question as *mut libc::c_char;
        check(libc::ioctl(
            fd.as_raw_fd(),
            libc::SIOCETHTOOL as _,
            &mut request,
        ))
        .map(drop)
    }
}

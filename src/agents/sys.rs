//! The few socket calls that std does not offer, each a safe function around one libc call.
//!
//! All of the agents' `unsafe` stands in this file. Every socket is made close-on-exec (children
//! such as `systemctl` must not inherit it) and non-blocking (the caller's thread also sends the
//! heartbeat).

use std::ffi::{c_int, c_void};
use std::io::{self, ErrorKind};
use std::mem::{size_of, zeroed};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A plain C structure: any bytes, zeros among them, are a value of it.
///
/// # Safety
/// Implement it only for integers and `repr(C)` structures made of integers.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: integers, and kernel structures made of nothing but integers.
unsafe impl Plain for c_int {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for libc::sockaddr_nl {}
// SAFETY: as above.
unsafe impl Plain for libc::sockaddr_ll {}
// SAFETY: as above.
unsafe impl Plain for libc::sockaddr_in {}
// SAFETY: as above.
unsafe impl Plain for libc::sockaddr_in6 {}
// SAFETY: as above.
unsafe impl Plain for libc::packet_mreq {}
// SAFETY: as above.
unsafe impl Plain for [u32; 8] {}

/// A value with every byte zero: the start of every socket address.
pub(super) fn zero<T: Plain>() -> T {
    // SAFETY: `Plain` promises that zero bytes are a value.
    unsafe { zeroed() }
}

/// socket(2), close-on-exec and non-blocking.
pub(super) fn socket(domain: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the descriptor returned is new and ours alone.
    unsafe {
        let fd = checked(libc::socket(
            domain,
            kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            protocol,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// bind(2).
pub(super) fn bind<A: Plain>(fd: BorrowedFd, address: &A) -> io::Result<()> {
    // SAFETY: the pointer and the length describe one live value; the kernel only reads it.
    checked(unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (address as *const A).cast(),
            size_of::<A>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// setsockopt(2) with a structure or an integer.
pub(crate) fn set_option<T: Plain>(
    fd: BorrowedFd,
    level: c_int,
    name: c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the pointer and the length describe one live value; the kernel only reads it.
    unsafe {
        set_option_raw(
            fd,
            level,
            name,
            (value as *const T).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    }
}

/// Binds a socket to the interface of that name (SO_BINDTODEVICE); ENODEV where there is none.
pub(crate) fn bind_to_device(fd: BorrowedFd, name: &str) -> io::Result<()> {
    // SAFETY: the pointer and the length describe the live string; the kernel only reads it.
    unsafe {
        set_option_raw(
            fd,
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            name.as_ptr().cast(),
            name.len() as libc::socklen_t,
        )
    }
}

/// A UDP socket on that interface only, non-blocking, and with that address. In this order: in a VRF an address is one
/// only for who is on an interface of it (measured, Linux 6.1: EADDRNOTAVAIL).
pub(crate) fn udp(device: &str, local: SocketAddr) -> io::Result<UdpSocket> {
    let family = if local.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let fd = socket(family, libc::SOCK_DGRAM, 0)?;
    bind_to_device(fd.as_fd(), device)?;
    match local {
        SocketAddr::V4(v4) => {
            let mut own: libc::sockaddr_in = zero();
            own.sin_family = family as u16;
            own.sin_port = v4.port().to_be();
            own.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
            bind(fd.as_fd(), &own)?;
        }
        SocketAddr::V6(v6) => {
            let mut own: libc::sockaddr_in6 = zero();
            own.sin6_family = family as u16;
            own.sin6_port = v6.port().to_be();
            own.sin6_addr.s6_addr = v6.ip().octets();
            own.sin6_scope_id = v6.scope_id();
            bind(fd.as_fd(), &own)?;
        }
    }
    Ok(fd.into())
}

/// Attaches a classic BPF program: the kernel drops what the program answers zero for.
pub(super) fn attach_filter(fd: BorrowedFd, program: &mut [libc::sock_filter]) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the structure points at a live program of that length, which the kernel copies.
    unsafe {
        set_option_raw(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    }
}

/// sendto(2). `flags` as there.
pub(super) fn send_to<A: Plain>(
    fd: BorrowedFd,
    bytes: &[u8],
    to: &A,
    flags: c_int,
) -> io::Result<()> {
    // SAFETY: both pointers come with the length of the live value behind them.
    let sent = unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            flags,
            (to as *const A).cast(),
            size_of::<A>() as libc::socklen_t,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// sendmmsg(2): all datagrams in one call, each to its own address. Gives how many left; an error
/// only when not even the first did.
pub(super) fn send_many<A: Plain>(fd: BorrowedFd, datagrams: &[(A, &[u8])]) -> io::Result<usize> {
    let mut parts: Vec<libc::iovec> = datagrams
        .iter()
        .map(|(_, bytes)| libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = datagrams
        .iter()
        .zip(&mut parts)
        .map(|((to, _), part)| {
            // SAFETY: a message header is pointers and integers; all zero is an empty one.
            let mut header: libc::mmsghdr = unsafe { zeroed() };
            header.msg_hdr.msg_name = (to as *const A).cast_mut().cast();
            header.msg_hdr.msg_namelen = size_of::<A>() as libc::socklen_t;
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect();
    // SAFETY: every header points at an address and a part that outlive the call, and the kernel
    // only reads through them.
    let sent = checked(unsafe {
        libc::sendmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            headers.len() as u32,
            0,
        )
    })?;
    Ok(sent as usize)
}

/// recvfrom(2): the datagram's real length (it may exceed the buffer) and its sender; `None` when
/// nothing is waiting.
pub(super) fn receive<A: Plain>(
    fd: BorrowedFd,
    buffer: &mut [u8],
) -> io::Result<Option<(usize, A)>> {
    let mut from: A = zero();
    let mut length = size_of::<A>() as libc::socklen_t;
    // SAFETY: both buffers are live and writable for the lengths given with them.
    let received = unsafe {
        libc::recvfrom(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_TRUNC,
            (&raw mut from).cast(),
            &mut length,
        )
    };
    if received >= 0 {
        return Ok(Some((received as usize, from)));
    }
    match io::Error::last_os_error() {
        error if error.kind() == ErrorKind::WouldBlock => Ok(None),
        error if error.kind() == ErrorKind::Interrupted => Ok(None), // ready still: asked again
        error => Err(error),
    }
}

/// Eight bytes that nobody can guess, from the kernel.
pub(crate) fn random() -> io::Result<[u8; 8]> {
    let mut bytes = [0; 8];
    // SAFETY: the pointer and the length describe the live array.
    let read = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if read != bytes.len() as isize {
        return Err(io::Error::last_os_error());
    }
    Ok(bytes)
}

/// # Safety
/// `value` must be readable for `length` bytes and be what the option expects.
unsafe fn set_option_raw(
    fd: BorrowedFd,
    level: c_int,
    name: c_int,
    value: *const c_void,
    length: libc::socklen_t,
) -> io::Result<()> {
    // SAFETY: promised by the caller.
    checked(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value, length) })?;
    Ok(())
}

fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// SIOCETHTOOL with ETHTOOL_GLINK: the carrier, as the driver knows it.
pub(super) fn ethtool_link(fd: BorrowedFd, interface: &str) -> io::Result<bool> {
    const ETHTOOL_GLINK: u32 = 0x0a; // linux/ethtool.h
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    let mut value = Value {
        command: ETHTOOL_GLINK,
        data: 0,
    };
    // SAFETY: zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request names a live, correctly sized value that the kernel fills.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCETHTOOL as _, &mut request) })?;
    Ok(value.data != 0)
}

/// SIOCGIFNAME: there is an interface with this index. Unlike most questions it waits for no lock.
pub(super) fn interface_exists(fd: BorrowedFd, index: u32) -> bool {
    // SAFETY: zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { zeroed() };
    request.ifr_ifru.ifru_ifindex = index as c_int;
    // SAFETY: the request is valid, and the kernel writes a name into it.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFNAME as _, &mut request) };
    checked(done).is_ok()
}

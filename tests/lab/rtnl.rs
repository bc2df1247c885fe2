//! As much rtnetlink as the lab needs to act within microseconds and to see addresses come and go
//! in the kernel's own order. Bulk set-up is left to `ip -batch`.

use crate::sys::{check, within};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A request socket that stays in the namespace it was opened in.
pub struct Rtnl(OwnedFd);

impl Rtnl {
    /// Opens a request socket in a namespace.
    pub fn open(netns: &str) -> io::Result<Rtnl> {
        within(netns, || socket(0)).map(Rtnl)
    }

    /// Sets an interface up or down: down on the switch's side is a pulled cable.
    pub fn set_link(&self, index: u32, up: bool) -> io::Result<()> {
        let flag = libc::IFF_UP as u32;
        let body = link_message(libc::AF_UNSPEC, index, if up { flag } else { 0 }, flag);
        self.request(libc::RTM_NEWLINK, &body)
    }

    /// Lets a bridge port forward or not. Unlike [`Rtnl::set_link`] the far end keeps its carrier
    /// and notices nothing, and it takes effect at once.
    pub fn set_forwarding(&self, index: u32, forward: bool) -> io::Result<()> {
        const PROTINFO: u16 = libc::IFLA_PROTINFO | libc::NLA_F_NESTED as u16;
        const STATE: u16 = 1; // IFLA_BRPORT_STATE
        let mut body = link_message(libc::AF_BRIDGE, index, 0, 0);
        let mut state = Vec::new();
        push_attribute(&mut state, STATE, &[if forward { 3 } else { 0 }]);
        push_attribute(&mut body, PROTINFO, &state);
        self.request(libc::RTM_SETLINK, &body)
    }

    /// Numbers another namespace as seen from this one, so that an [`AddressFeed`] can name it.
    pub fn number(&self, netns: &str, id: i32) -> io::Result<()> {
        const NSID: u16 = 1; // NETNSA_NSID
        const FD: u16 = 3; // NETNSA_FD
        let file = std::fs::File::open(crate::sys::netns_path(netns))?;
        let mut body = vec![0; 4];
        push_attribute(&mut body, NSID, &id.to_ne_bytes());
        push_attribute(&mut body, FD, &file.as_raw_fd().to_ne_bytes());
        self.request(libc::RTM_NEWNSID, &body)
    }

    fn request(&self, kind: u16, body: &[u8]) -> io::Result<()> {
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        let mut message = Vec::with_capacity(16 + body.len());
        message.extend((16 + body.len() as u32).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        let mut answer = [0u8; 4096];
        let fd = self.0.as_raw_fd();
        // SAFETY: both buffers have the lengths given.
        let length = unsafe {
            check(libc::send(fd, message.as_ptr().cast(), message.len(), 0) as i32)?;
            check(libc::recv(fd, answer.as_mut_ptr().cast(), answer.len(), 0) as i32)?
        };
        let code = answer[..length as usize]
            .get(16..20)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        match i32::from_ne_bytes(code.try_into().expect("four bytes")) {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(-code)),
        }
    }
}

/// Address events of all numbered namespaces in one queue. The kernel appends to it while it
/// changes the address, so the order is true even where the reader is late.
pub struct AddressFeed(OwnedFd);

/// One address added (or renewed) or deleted.
pub struct AddressEvent {
    /// The namespace, by the number given it.
    pub netns: i32,
    /// RTM_NEWADDR; else RTM_DELADDR.
    pub present: bool,
    /// The address.
    pub address: IpAddr,
    /// For how many seconds it is valid from now.
    pub valid: u32,
}

impl AddressFeed {
    /// Opens the feed in the namespace whose numbering is to be used.
    pub fn open(netns: &str) -> io::Result<AddressFeed> {
        let feed = within(netns, AddressFeed::here)?;
        set(&feed.0, libc::SOL_NETLINK, libc::NETLINK_LISTEN_ALL_NSID, 1)?;
        Ok(feed)
    }

    /// Opens the feed of the namespace that this thread is in, and of no other.
    pub fn here() -> io::Result<AddressFeed> {
        let fd = socket((libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR) as u32)?;
        set(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 16 << 20)?;
        Ok(AddressFeed(fd))
    }

    /// Waits for events, at most `timeout_ms`; none is an empty list.
    pub fn next(&self, timeout_ms: i32) -> io::Result<Vec<AddressEvent>> {
        let mut poll = libc::pollfd {
            fd: self.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd.
        if check(unsafe { libc::poll(&mut poll, 1, timeout_ms) })? == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = [0u8; 65536];
        let mut control = [0u64; 8];
        let mut part = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        // SAFETY: all zero is a valid msghdr; the pointers set below outlive the call.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = &mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control);
        // SAFETY: as above.
        let length = check(unsafe { libc::recvmsg(self.0.as_raw_fd(), &mut header, 0) } as i32)?;
        Ok(parse(&bytes[..length as usize], sender(&header)))
    }
}

/// The namespace a message came from; -1 where it carries no number.
fn sender(header: &libc::msghdr) -> i32 {
    // SAFETY: the kernel filled the control buffer that `header` points to.
    unsafe {
        let mut c = libc::CMSG_FIRSTHDR(header);
        while !c.is_null() {
            if (*c).cmsg_level == libc::SOL_NETLINK
                && (*c).cmsg_type == libc::NETLINK_LISTEN_ALL_NSID
            {
                return libc::CMSG_DATA(c).cast::<i32>().read_unaligned();
            }
            c = libc::CMSG_NXTHDR(header, c);
        }
    }
    -1
}

fn parse(mut bytes: &[u8], netns: i32) -> Vec<AddressEvent> {
    let mut events = Vec::new();
    while bytes.len() >= 16 {
        let length = u32::from_ne_bytes(bytes[..4].try_into().expect("four bytes")) as usize;
        if length < 16 || length > bytes.len() {
            break;
        }
        let kind = u16::from_ne_bytes(bytes[4..6].try_into().expect("two bytes"));
        if matches!(kind, libc::RTM_NEWADDR | libc::RTM_DELADDR)
            && length >= 24
            && let Some((address, valid)) = address(&bytes[24..length])
        {
            events.push(AddressEvent {
                netns,
                present: kind == libc::RTM_NEWADDR,
                address,
                valid,
            });
        }
        bytes = &bytes[((length + 3) & !3).min(bytes.len())..];
    }
    events
}

/// IFA_LOCAL where there is one (IPv4), else IFA_ADDRESS; and `ifa_valid` of IFA_CACHEINFO
/// (linux/if_addr.h).
fn address(mut attributes: &[u8]) -> Option<(IpAddr, u32)> {
    let (mut local, mut found, mut valid) = (None, None, u32::MAX);
    while attributes.len() >= 4 {
        let length = u16::from_ne_bytes([attributes[0], attributes[1]]) as usize;
        let kind = u16::from_ne_bytes([attributes[2], attributes[3]]);
        let value = attributes.get(4..length)?;
        let ip = match value.len() {
            4 => <[u8; 4]>::try_from(value)
                .ok()
                .map(|v| IpAddr::from(Ipv4Addr::from(v))),
            16 => <[u8; 16]>::try_from(value)
                .ok()
                .map(|v| IpAddr::from(Ipv6Addr::from(v))),
            _ => None,
        };
        match kind {
            libc::IFA_LOCAL => local = ip,
            libc::IFA_ADDRESS => found = ip,
            libc::IFA_CACHEINFO => {
                let bytes = value.get(4..8)?.try_into().expect("four bytes");
                valid = u32::from_ne_bytes(bytes);
            }
            _ => {}
        }
        attributes = &attributes[((length + 3) & !3).min(attributes.len())..];
    }
    Some((local.or(found)?, valid))
}

fn link_message(family: i32, index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut body = vec![family as u8, 0, 0, 0];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(change.to_ne_bytes());
    body
}

fn push_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend((4 + value.len() as u16).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize((message.len() + 3) & !3, 0);
}

fn socket(groups: u32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: plain system calls; the address is valid and has the length given.
    unsafe {
        let fd = check(libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE))?;
        let fd = OwnedFd::from_raw_fd(fd);
        let mut address: libc::sockaddr_nl = std::mem::zeroed();
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = groups;
        let length = size_of::<libc::sockaddr_nl>() as u32;
        check(libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            length,
        ))?;
        Ok(fd)
    }
}

fn set(fd: &OwnedFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    let length = size_of::<i32>() as u32;
    // SAFETY: the value is an i32 of the length given.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            length,
        )
    })
    .map(drop)
}

//! Somebody on both networks who means no good: claims the VIP, answers for everybody, replays and
//! floods.

use crate::lab::{Lab, Outcome};
use crate::net::{HEARTBEAT_PORT, Host, Net, Port, Wire, batch};
use crate::sys::{self, check, now, within};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A box of its own on the service LAN and the interlink.
pub struct Stranger {
    netns: String,
}

impl Stranger {
    /// Plugs it in.
    pub fn new(lab: &Lab) -> Outcome<Stranger> {
        lab.net
            .attach(Host::Stranger, &[Wire::Lan, Wire::Interlink])?;
        lab.note("a stranger is on the network");
        Ok(Stranger {
            netns: lab.net.netns(Host::Stranger),
        })
    }

    /// Takes an address and announces it, as a box with the same address by mistake does.
    pub fn claim(&self, address: &str) -> Outcome {
        batch(
            Some(&self.netns),
            &format!("addr add {address}/24 dev lan0\n"),
        )?;
        let address: Ipv4Addr = address.parse()?;
        let socket = PacketSocket::open(&self.netns, "lan0", false)?;
        for _ in 0..3 {
            socket.send(&gratuitous_arp(address, Host::Stranger.mac(Wire::Lan)))?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Gives the address up again.
    pub fn yield_claim(&self, address: &str) -> Outcome {
        Ok(batch(
            Some(&self.netns),
            &format!("addr del {address}/24 dev lan0\n"),
        )?)
    }

    /// Becomes a router that answers ARP for the VIPs (10.77.0.96/27), because it believes that
    /// they live behind it. At once, where Linux usually waits up to 0.8 s.
    pub fn proxy_arp(&self) -> Outcome {
        batch(
            Some(&self.netns),
            "link add away type bridge\nlink set away up\nroute add 10.77.0.96/27 dev away\n",
        )?;
        within(&self.netns, || {
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
            std::fs::write("/proc/sys/net/ipv4/conf/lan0/proxy_arp", "1")?;
            std::fs::write("/proc/sys/net/ipv4/neigh/lan0/proxy_delay", "0")
        })?;
        Ok(())
    }

    /// Sends datagrams to a node's heartbeat port under its peer's address, so many a second, over
    /// the interlink, until dropped. The payloads take turns.
    pub fn flood(&self, target: Host, payloads: Vec<Vec<u8>>, rate: u64) -> Outcome<Flood> {
        let socket = PacketSocket::open(&self.netns, "il0", false)?;
        let frames = payloads
            .iter()
            .map(|payload| spoofed(target, payload))
            .collect();
        let over = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let sender = std::thread::spawn({
            let (over, sent) = (over.clone(), sent.clone());
            move || pour(&socket, frames, rate, &over, &sent)
        });
        Ok(Flood {
            over,
            sent,
            sender: Some(sender),
        })
    }
}

/// A running flood.
pub struct Flood {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    sender: Option<JoinHandle<()>>,
}

impl Flood {
    /// How many datagrams went out so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            let _ = sender.join();
        }
    }
}

/// Payloads of real heartbeats, both nodes', as they pass the interlink.
pub fn capture(lab: &Lab, count: usize, limit: Duration) -> Outcome<Vec<Vec<u8>>> {
    let port = Port(Host::A, Wire::Interlink).to_string();
    let socket = PacketSocket::open(&lab.net.switch_netns(), &port, true)?;
    let from = now();
    let mut found = Vec::new();
    while found.len() < count && sys::since(from) < limit {
        let Some(frame) = socket.receive(50)? else {
            continue;
        };
        // Ethernet 14, IPv4 20 (no options in heartbeats), UDP 8.
        let ours = frame.len() > 42
            && frame[12..14] == [8, 0]
            && frame[23] == 17
            && frame[36..38] == HEARTBEAT_PORT.to_be_bytes();
        if ours {
            let end = 38 + usize::from(u16::from_be_bytes([frame[38], frame[39]])) - 4;
            found.push(frame[42..end.min(frame.len())].to_vec());
        }
    }
    crate::ensure!(
        found.len() == count,
        "only {} heartbeats to capture in {limit:?}",
        found.len()
    );
    Ok(found)
}

/// Listens to a node's heartbeats on the interlink, from its creation on.
pub struct Heartbeats {
    socket: PacketSocket,
    from: [u8; 6],
}

impl Heartbeats {
    /// Those that this node sends.
    pub fn of(lab: &Lab, host: Host) -> Outcome<Heartbeats> {
        let port = Port(host, Wire::Interlink).to_string();
        let socket = PacketSocket::open(&lab.net.switch_netns(), &port, true)?;
        let _ = socket.stamp(); // from now on the kernel stamps
        Ok(Heartbeats {
            socket,
            from: host.mac(Wire::Interlink),
        })
    }

    /// Listens for so long still; gives the longest time between two, by the kernel's stamps.
    pub fn longest_gap(self, further: Duration) -> Outcome<Duration> {
        std::thread::sleep(further);
        let mut at = Vec::new();
        while let Some(frame) = self.socket.receive(0)? {
            let heartbeat = frame.len() > 42 && frame[36..38] == HEARTBEAT_PORT.to_be_bytes();
            if heartbeat && frame[6..12] == self.from {
                at.push(self.socket.stamp()?);
            }
        }
        crate::ensure!(at.len() > 2, "only {} heartbeats were heard", at.len());
        let gaps = at.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        Ok(gaps.max().unwrap_or_default())
    }
}

/// Listens to what comes out of a port, from its creation on, for announcements of the VIP that only the
/// appliance sends: replies that nobody asked for. A bond that fails over asks, for each of its addresses.
pub struct Announcements {
    socket: PacketSocket,
    vip: [u8; 4],
}

impl Announcements {
    /// Those of the network's VIP, out of this port.
    pub fn out_of(net: &Net, port: Port) -> Outcome<Announcements> {
        let vip: Ipv4Addr = net.topology.vip.parse()?;
        Ok(Announcements {
            socket: PacketSocket::open(&net.switch_netns(), &port.to_string(), true)?,
            vip: vip.octets(),
        })
    }

    /// How many there were so far.
    pub fn heard(self) -> Outcome<usize> {
        let mut count = 0;
        while let Some(frame) = self.socket.receive(0)? {
            // Ethernet 14, ARP: operation at 6, sender's address at 14, target's at 24.
            let arp = frame.len() >= 42 && frame[12..14] == [8, 6];
            count += usize::from(
                arp && frame[20..22] == [0, 2]
                    && frame[28..32] == self.vip
                    && frame[38..42] == self.vip,
            );
        }
        Ok(count)
    }
}

/// Payloads that are no heartbeats: random bytes of all lengths, the longest that fit a frame.
pub fn rubbish(count: usize) -> Vec<Vec<u8>> {
    let lengths = [0, 1, 16, 64, 200, 400, 1399, 1400, 1401, 1472];
    let random = |length: usize| (0..length).map(|_| sys::random(256) as u8).collect();
    (0..count)
        .map(|i| random(lengths[i % lengths.len()]))
        .collect()
}

/// Frames to and from one interface.
struct PacketSocket(OwnedFd);

impl PacketSocket {
    fn open(netns: &str, interface: &str, listen: bool) -> io::Result<PacketSocket> {
        let name = std::ffi::CString::new(interface)?;
        let protocol = if listen {
            (libc::ETH_P_ALL as u16).to_be()
        } else {
            0
        };
        within(netns, || {
            let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
            // SAFETY: plain system calls; the address is valid and has the length given.
            unsafe {
                let fd = check(libc::socket(libc::AF_PACKET, kind, 0))?;
                let fd = OwnedFd::from_raw_fd(fd);
                let mut address: libc::sockaddr_ll = std::mem::zeroed();
                address.sll_family = libc::AF_PACKET as u16;
                address.sll_protocol = protocol;
                address.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
                let length = size_of::<libc::sockaddr_ll>() as u32;
                check(libc::bind(
                    fd.as_raw_fd(),
                    (&raw const address).cast(),
                    length,
                ))?;
                Ok(PacketSocket(fd))
            }
        })
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: the buffer has the length given.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        check(sent as i32).map(drop)
    }

    /// When what was received last came, by the wall clock.
    fn stamp(&self) -> io::Result<Duration> {
        const SIOCGSTAMPNS: u64 = 0x8907; // asm-generic/sockios.h
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a valid timespec.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), SIOCGSTAMPNS as _, &mut time) })?;
        Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    fn receive(&self, timeout_ms: i32) -> io::Result<Option<Vec<u8>>> {
        let mut poll = libc::pollfd {
            fd: self.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let mut frame = vec![0; 2048];
        // SAFETY: one valid pollfd; the buffer has the length given.
        unsafe {
            if check(libc::poll(&mut poll, 1, timeout_ms))? == 0 {
                return Ok(None);
            }
            let length = libc::recv(
                self.0.as_raw_fd(),
                frame.as_mut_ptr().cast(),
                frame.len(),
                0,
            );
            frame.truncate(check(length as i32)? as usize);
        }
        Ok(Some(frame))
    }
}

fn pour(
    socket: &PacketSocket,
    frames: Vec<Vec<u8>>,
    rate: u64,
    over: &AtomicBool,
    sent: &AtomicU64,
) {
    let start = now();
    let mut frames = frames.iter().cycle();
    while !over.load(Ordering::Relaxed) {
        let due = (now() - start) * rate / 1_000_000;
        // After a pause of the machine the lost time is not made up for in one burst.
        let batch = due.saturating_sub(sent.load(Ordering::Relaxed));
        for _ in 0..batch.min(rate / 100) {
            let _ = socket.send(frames.next().expect("a cycle of at least one"));
        }
        sent.fetch_add(batch, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A datagram that claims to come from the target's peer.
fn spoofed(target: Host, payload: &[u8]) -> Vec<u8> {
    let (wire, length) = (Wire::Interlink, payload.len() as u16);
    let mut ip = vec![0x45, 0];
    ip.extend((28 + length).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    ip.extend([
        10,
        88,
        0,
        target.peer().number(wire),
        10,
        88,
        0,
        target.number(wire),
    ]);
    let sum: u32 = ip
        .chunks(2)
        .map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    ip[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    let mut frame = [target.mac(wire), Host::Stranger.mac(wire)].concat();
    frame.extend([8, 0]);
    frame.extend(ip);
    frame.extend(HEARTBEAT_PORT.to_be_bytes());
    frame.extend(HEARTBEAT_PORT.to_be_bytes());
    frame.extend((8 + length).to_be_bytes());
    frame.extend([0, 0]); // no UDP checksum
    frame.extend(payload);
    frame
}

fn gratuitous_arp(address: Ipv4Addr, mac: [u8; 6]) -> Vec<u8> {
    let mut frame = [[0xff; 6], mac].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(address.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame
}

//! What a user of the VIP sees: a UDP probe every half millisecond, or a request for a page, and
//! which node answered it.

use crate::http::{self, Page};
use crate::net::{Host, NODES, Net};
use crate::sys::{self, Micros, now, within};
use crate::topology::Topology;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// The port of the echo responder that runs on every node.
pub const ECHO_PORT: u16 = 7;

/// The usual probing period.
pub const PERIOD: Duration = Duration::from_micros(500);

/// The network of the lab answers faster.
const PATIENCE: Duration = Duration::from_millis(20);

/// A gap shorter than this proves nothing on a busy machine; that nothing moved is told by the
/// kernel's record of addresses, not by the client.
const UNNOTICED: Duration = Duration::from_millis(200);

/// A client that probes one address until it is dropped.
pub struct Client {
    probes: Arc<Probes>,
    patience: Duration,
    topology: &'static Topology,
    over: Arc<AtomicBool>,
    prober: Option<JoinHandle<()>>,
}

/// One probe; `answer` is when its answer came, and whose it was. `cut`: its connection stood when
/// the address moved away, and TCP's state does not move with it.
#[derive(Clone, Copy, Debug)]
struct Probe {
    sent: Micros,
    answer: Option<(Micros, Host)>,
    cut: bool,
}

/// Every probe of a client, numbered in the order in which they were sent.
#[derive(Default)]
pub struct Probes(Mutex<Vec<Probe>>);

impl Probes {
    /// Notes that a probe is sent now, and numbers it.
    pub fn sent(&self) -> usize {
        let mut probes = self.all();
        probes.push(Probe {
            sent: now(),
            answer: None,
            cut: false,
        });
        probes.len() - 1
    }

    /// Notes that a probe was answered now.
    pub fn answered(&self, number: usize, by: Host) {
        if let Some(probe) = self.all().get_mut(number) {
            probe.answer.get_or_insert((now(), by));
        }
    }

    /// Notes that the connection of a probe was accepted, and brought no answer.
    pub fn cut(&self, number: usize) {
        if let Some(probe) = self.all().get_mut(number) {
            probe.cut = true;
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Probe>> {
        self.0.lock().expect("no panic while held")
    }
}

/// The longest time for which no probe that was sent got an answer.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// The last answered probe before it was sent then.
    pub from: Micros,
    /// The first answered probe after it was sent then.
    pub until: Micros,
    /// Probes lost since the instant asked about, in this gap or any other.
    pub lost: usize,
}

impl Outage {
    /// Its length. Half a millisecond is no outage but the probing period.
    pub fn length(self) -> Duration {
        Duration::from_micros(self.until - self.from)
    }
}

impl Client {
    /// Starts probing.
    pub fn start(net: &Net, address: &str, period: Duration) -> io::Result<Client> {
        let address: IpAddr = address.parse().expect("an address");
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = within(&net.netns(Host::Client), || UdpSocket::bind(any))?;
        socket.set_nonblocking(true)?;
        let target = SocketAddr::new(address, ECHO_PORT);
        Ok(Client::with(net, PATIENCE, move |probes, over| {
            probe(&socket, target, period, probes, over);
        }))
    }

    /// Starts to get a page over the VIP, one request a period, each over a connection of its own.
    /// The page must name the node.
    pub fn browse(net: &Net, path: &'static str, period: Duration) -> io::Result<Client> {
        let address = net.topology.vip.parse().expect("an IPv4 address");
        let page = Page { address, path };
        let (netns, names) = (net.netns(Host::Client), net.topology.names);
        Ok(Client::with(net, http::PATIENCE, move |probes, over| {
            sys::enter(&netns).expect("the client has a namespace");
            let who = |reply: &str| {
                let named = NODES
                    .into_iter()
                    .zip(names)
                    .find(|(_, name)| reply.contains(name));
                named.map_or(Host::Stranger, |(host, _)| host)
            };
            http::probe(&page, who, period, probes, over);
        }))
    }

    fn with(
        net: &Net,
        patience: Duration,
        probe: impl FnOnce(&Probes, &AtomicBool) + Send + 'static,
    ) -> Client {
        let probes = Arc::<Probes>::default();
        let over = Arc::new(AtomicBool::new(false));
        let prober = std::thread::spawn({
            let (probes, over) = (probes.clone(), over.clone());
            move || probe(&probes, &over)
        });
        Client {
            probes,
            patience,
            topology: net.topology,
            over,
            prober: Some(prober),
        }
    }

    /// Waits for the answer to a probe sent from now on, by a given node or any; gives when that
    /// probe was sent, and who answered.
    pub fn answered(&self, by: Option<Host>, limit: Duration) -> Result<(Micros, Host), String> {
        let from = now();
        while sys::since(from) < limit {
            if let Some(found) = self.first_answer(from, by) {
                return Ok(found);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let who = by.map_or("anyone", |host| self.topology.name(host));
        Err(format!("no answer to the client by {who} within {limit:?}"))
    }

    /// The first answered probe sent since `from`.
    pub fn first_answer(&self, from: Micros, by: Option<Host>) -> Option<(Micros, Host)> {
        let probes = self.probes();
        let start = probes.partition_point(|probe| probe.sent < from);
        probes[start..].iter().find_map(|probe| {
            let (_, who) = probe.answer?;
            by.is_none_or(|by| by == who).then_some((probe.sent, who))
        })
    }

    /// Of the probes sent since `from`, and long enough ago, the answered part.
    pub fn answered_share(&self, from: Micros) -> f64 {
        let recent = now() - self.patience.as_micros() as u64;
        let probes = self.probes();
        let counted: Vec<_> = probes
            .iter()
            .filter(|probe| (from..recent).contains(&probe.sent))
            .collect();
        let answered = counted
            .iter()
            .filter(|probe| probe.answer.is_some())
            .count();
        answered as f64 / counted.len().max(1) as f64
    }

    /// The longest outage since `from`, the gap into which `from` falls included. Call it once
    /// answers have come back; an outage that still lasts ends now.
    pub fn outage(&self, from: Micros) -> Outage {
        let probes = self.probes();
        let start = probes.partition_point(|probe| probe.sent < from);
        let before = probes[..start]
            .iter()
            .rev()
            .find(|probe| probe.answer.is_some());
        let mut last = before.map_or(from, |probe| probe.sent);
        let mut longest = Outage {
            from: last,
            until: last,
            lost: 0,
        };
        let mut lost = 0;
        // An answer takes its time: what was sent just now is not lost yet.
        let recent = now() - self.patience.as_micros() as u64;
        for probe in &probes[start..] {
            if probe.answer.is_none() {
                lost += usize::from(probe.cut || probe.sent < recent);
                continue;
            }
            if probe.sent - last > longest.until - longest.from {
                longest = Outage {
                    from: last,
                    until: probe.sent,
                    lost: 0,
                };
            }
            last = probe.sent;
        }
        if recent > last && recent - last > longest.until - longest.from {
            longest = Outage {
                from: last,
                until: now(),
                lost: 0,
            };
        }
        Outage { lost, ..longest }
    }

    /// How long it was without answer since `from`, all gaps together in which a question was lost; what is
    /// shorter than an answer may take is none.
    pub fn silence(&self, from: Micros) -> Duration {
        let probes = self.probes();
        let start = probes.partition_point(|probe| probe.sent < from);
        let answered: Vec<usize> = (start..probes.len())
            .filter(|&n| probes[n].answer.is_some())
            .collect();
        let gaps = answered.windows(2).filter(|pair| pair[1] > pair[0] + 1);
        let lengths = gaps.map(|pair| probes[pair[1]].sent - probes[pair[0]].sent);
        let patience = self.patience.as_micros() as u64;
        Duration::from_micros(lengths.filter(|length| *length > patience).sum())
    }

    /// Requests since `from` that were under way when the server was gone: accepted, not answered.
    /// The lost ones of [`Client::outage`] count them too.
    pub fn cut(&self, from: Micros) -> usize {
        let probes = self.probes();
        let cut = probes
            .iter()
            .filter(|probe| probe.sent >= from && probe.cut);
        cut.count()
    }

    /// Fails if questions were lost since `from` and the gap is longer than a busy machine explains.
    /// A long gap without a loss is a prober that did not get its turn.
    pub fn noticed_nothing(&self, from: Micros) -> Result<(), String> {
        let outage = self.outage(from);
        if outage.lost == 0 || outage.length() < UNNOTICED {
            return Ok(());
        }
        Err(format!(
            "the client was without answer for {:?}, {} questions were lost",
            outage.length(),
            outage.lost
        ))
    }

    fn probes(&self) -> MutexGuard<'_, Vec<Probe>> {
        self.probes.all()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(prober) = self.prober.take() {
            let _ = prober.join();
        }
    }
}

/// Answers every datagram with itself and this node's tag; the program behind `lab __echo TAG`.
pub fn echo_main(tag: &str) -> io::Result<()> {
    sys::realtime();
    let socket = UdpSocket::bind(("::", ECHO_PORT))?;
    let mut bytes = [0; 64];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut bytes) else {
            continue;
        };
        let mut answer = bytes[..length.min(8)].to_vec();
        answer.extend(tag.as_bytes());
        let _ = socket.send_to(&answer, from);
    }
}

fn probe(
    socket: &UdpSocket,
    target: SocketAddr,
    period: Duration,
    probes: &Probes,
    over: &AtomicBool,
) {
    sys::realtime();
    let mut due = now();
    while !over.load(Ordering::Relaxed) {
        let number = probes.sent() as u64;
        // An unreachable VIP is what the probe is there to find.
        let _ = socket.send_to(&number.to_be_bytes(), target);
        due = (due + period.as_micros() as u64).max(now().saturating_sub(5_000));
        while now() < due {
            wait_readable(socket, due.saturating_sub(now()));
            receive(socket, probes);
        }
    }
}

fn receive(socket: &UdpSocket, probes: &Probes) {
    let mut bytes = [0; 64];
    while let Ok(length) = socket.recv(&mut bytes) {
        let who = match &bytes[8.min(length)..length] {
            b"a" => Host::A,
            b"b" => Host::B,
            _ => Host::Stranger,
        };
        let number = u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"));
        probes.answered(number as usize, who);
    }
}

fn wait_readable(socket: &UdpSocket, microseconds: u64) {
    let poll = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    sys::poll(&mut [poll], microseconds);
}

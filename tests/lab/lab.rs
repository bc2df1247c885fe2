//! What a scenario works with: the network, both nodes, the watch, and words for what is done to
//! them. Everything done is noted for the time line. A node is the daemon alone in a namespace
//! ([`Node`]), or a whole system in a container or a virtual machine ([`crate::system::System`], with more
//! words in `pair`).

use crate::client::{Client, PERIOD};
use crate::net::{Host, NODES, Net, VIP};
use crate::node::Node;
use crate::record::Record;
use crate::status;
use crate::sys::{self, Micros, now};
use crate::toml::Settings;
use crate::topology::{Topology, USUAL};
use crate::watch::{Change, Watch};
use std::error::Error;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// What a scenario and its steps give: any error fails it.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Fails the scenario, with a formatted reason, unless a condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($reason:tt)+) => {
        let holds: bool = $condition;
        if !holds {
            return Err(format!($($reason)+).into());
        }
    };
}

/// A node as the lab sees it, whatever it is made of.
pub trait Hardware: Sized {
    /// A node without power.
    fn new(net: &Net, host: Host) -> io::Result<Self>;
    /// How it is called.
    fn name(&self) -> &'static str;
    /// What its daemon says of itself: status.json.
    fn status(&self) -> io::Result<String>;
    /// Starts a program of the lab's own on its network; it dies with the node.
    fn beside(&mut self, command: Command) -> io::Result<u32>;
    /// Plugs its cables in, and has it watched: a namespace with interfaces that are down, and the echo
    /// responder that tells the client who answered.
    fn plug(&mut self, net: &Net, watch: &Arc<Watch>, host: Host) -> Outcome {
        if sys::netns_path(&net.netns(host)).exists() {
            // Left standing at the power cut: removing it then would have kept the kernel's
            // network lock busy during the very takeover that is measured.
            net.detach(host)?;
        }
        net.create(host)?;
        watch.follow(net, host)?;
        net.cable(host, net.topology.wires())?;
        let mut echo = Command::new(std::env::current_exe()?);
        echo.args(["__echo", host.tag()]);
        self.beside(echo)?;
        Ok(())
    }
    /// Sets its interfaces up, with their addresses.
    fn address(&mut self, net: &Net, host: Host) -> Outcome {
        Ok(net.address(host, net.topology.wires())?)
    }
    /// Switches it on, its cables plugged.
    fn switch_on(&mut self) -> io::Result<()>;
    /// Waits until it is up.
    fn booted(&mut self) -> Outcome;
    /// Ends everything that runs on it at once: its power is gone.
    fn die(&mut self);
    /// Stops everything that runs on it, as a paused virtual machine does, or lets it go on.
    fn set_frozen(&self, frozen: bool);
}

/// One pair on one network.
pub struct Lab<N = Node> {
    nodes: Vec<N>,
    /// Who holds which VIP.
    pub watch: Arc<Watch>,
    /// The cables.
    pub net: Arc<Net>,
    /// What happened, and what was measured.
    pub record: Arc<Record>,
}

impl Lab {
    /// The usual pair, both nodes switched on; no daemon runs yet.
    pub fn new(record: Arc<Record>) -> Outcome<Lab> {
        Lab::build(record, &USUAL)
    }

    /// Ends both daemons, forgets their state, removes what addresses they left, and mends every
    /// cut: as a new lab, in a fraction of the time.
    pub fn reset(&mut self) -> Outcome {
        self.reset_keeping_state()?;
        for host in NODES {
            self.node(host).wipe()?;
        }
        Ok(())
    }

    /// As [`Lab::reset`], but what the daemons kept on disk stays: both lost their power.
    pub fn reset_keeping_state(&mut self) -> Outcome {
        for host in NODES {
            self.power_cut(host)?;
        }
        self.net.mend()?;
        for host in NODES {
            self.power_on(host)?;
        }
        Ok(())
    }

    /// Gives both nodes the same ha.toml.
    pub fn configure(&mut self, settings: &Settings) -> Outcome {
        for node in &self.nodes {
            node.configure(settings)?;
        }
        Ok(())
    }

    /// Starts a node's daemon.
    pub fn start(&mut self, host: Host) -> Outcome<Micros> {
        let at = self.note(format!("start the daemon of {}", host.node_name()));
        self.node(host).start()?;
        Ok(at)
    }

    /// Configures and starts both daemons, waits until one holds the VIP, answers the client and
    /// both see each other. Gives the holder and the probing client.
    pub fn pair(&mut self, settings: &Settings) -> Outcome<(Host, Client)> {
        self.configure(settings)?;
        for host in NODES {
            self.start(host)?;
        }
        let holder = self.first_holder(Duration::from_secs(10))?;
        let client = self.client(VIP)?;
        client.answered(Some(holder), Duration::from_secs(2))?;
        self.both_alive()?;
        self.note(format!(
            "the pair is up, {} holds the VIP",
            holder.node_name()
        ));
        Ok((holder, client))
    }

    /// As [`Lab::settled`], but does not wait for daemons that have ended.
    fn first_holder(&mut self, limit: Duration) -> Outcome<Host> {
        let asked = now();
        loop {
            let found = self.settled(Duration::from_millis(300));
            let ended = NODES.into_iter().find(|&host| !self.node(host).runs());
            if let Some(host) = ended {
                return Err(format!("the daemon of {} has ended", host.node_name()).into());
            }
            if found.is_ok() || sys::since(asked) > limit {
                return found;
            }
        }
    }
}

impl<N: Hardware> Lab<N> {
    /// Builds a pair's network and switches both nodes on.
    pub fn build(record: Arc<Record>, topology: &'static Topology) -> Outcome<Lab<N>> {
        let net = Arc::new(Net::new(topology)?);
        let watch = Arc::new(Watch::start(&net)?);
        record.watch(watch.clone());
        let nodes = NODES.map(|host| N::new(&net, host));
        let mut lab = Lab {
            nodes: nodes.into_iter().collect::<Result<_, _>>()?,
            watch,
            net,
            record,
        };
        for host in NODES {
            lab.switch_on(host)?;
        }
        for host in NODES {
            lab.node(host).booted()?;
        }
        Ok(lab)
    }

    /// A node.
    pub fn node(&mut self, host: Host) -> &mut N {
        &mut self.nodes[usize::from(host == Host::B)]
    }

    /// Writes a line into the time line, and gives its time.
    pub fn note(&self, text: impl Into<String>) -> Micros {
        self.record.note(text)
    }

    /// How often to repeat: in the usual run, and in the long one.
    pub fn times(&self, short: usize, long: usize) -> usize {
        if self.record.long { long } else { short }
    }

    /// A client that probes an address from now on.
    pub fn client(&self, address: &str) -> Outcome<Client> {
        Ok(Client::start(&self.net, address, PERIOD)?)
    }

    /// Waits until each node says that it hears the other both ways.
    pub fn both_alive(&mut self) -> Outcome {
        for node in &self.nodes {
            status::wait_until(node, "peer alive", Duration::from_secs(5), |s| {
                status::peer_state(s) == "alive"
            })?;
        }
        Ok(())
    }

    /// Waits until exactly one node holds the VIP and has held it for a moment.
    pub fn settled(&self, limit: Duration) -> Outcome<Host> {
        let asked = now();
        let (mut last, mut steady) = (None, now());
        while sys::since(asked) < limit {
            let holders = self.watch.holders(self.net.topology.vip);
            let single = (holders.len() == 1).then(|| holders[0]);
            if single != last {
                (last, steady) = (single, now());
            }
            if let Some(host) = single.filter(|_| sys::since(steady) > Duration::from_millis(100)) {
                return Ok(host);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(format!(
            "{:?} hold the VIP after {limit:?}, not one node",
            self.watch.holders(self.net.topology.vip)
        )
        .into())
    }

    /// For so long nothing may happen to the VIP but renewals, and `holder` keeps it.
    pub fn nothing_moves(&self, holder: Host, during: Duration) -> Outcome {
        let from = now();
        std::thread::sleep(during);
        self.nothing_moved(holder, from)
    }

    /// Since `from` nothing happened to the VIP but renewals, and `holder` has it.
    pub fn nothing_moved(&self, holder: Host, from: Micros) -> Outcome {
        let moved = |e: &&crate::watch::Event| e.at >= from && e.change != Change::Renewed;
        if let Some(event) = self.watch.events().iter().find(moved) {
            return Err(format!(
                "{:?} on {} although nothing should move",
                event.change,
                self.net.name(event.host)
            )
            .into());
        }
        let holders = self.watch.holders(self.net.topology.vip);
        ensure!(
            holders == [holder],
            "{holders:?} hold the VIP instead of {holder:?}"
        );
        Ok(())
    }

    /// Whatever just healed, the client must reach the VIP now: the very next probes, but for what
    /// is still on its way.
    pub fn reached_at_once(&self, client: &Client) -> Outcome {
        let from = now();
        let limit = Duration::from_millis(1000);
        let (sent, _) = client.answered(None, limit)?;
        let late = Duration::from_micros(sent - from);
        self.record.figure("reached after", late);
        Ok(())
    }

    /// Sleeps a random part of a duration, so that a fault meets every phase of the timers.
    pub fn random_phase(&self, within: Duration) {
        std::thread::sleep(Duration::from_micros(
            sys::random(within.as_micros() as u64),
        ));
    }

    /// Cuts a node's power: from the instant returned it neither sends nor holds anything.
    pub fn power_cut(&mut self, host: Host) -> Outcome<Micros> {
        self.net.silence(host)?;
        self.watch.power_cut(host);
        let at = self.note(format!("cut the power of {}", self.net.name(host)));
        self.node(host).die();
        Ok(at)
    }

    /// Gives a node power: a fresh kernel, cables, addresses, and the echo responder that tells
    /// the client who answered. What it kept on disk is still there; waits until the node is up, but
    /// starts no daemon.
    pub fn power_on(&mut self, host: Host) -> Outcome {
        self.switch_on(host)?;
        self.node(host).booted()
    }

    /// As [`Lab::power_on`], but does not wait, and its interfaces stay down until
    /// [`Net::address`].
    pub fn power_on_without_network(&mut self, host: Host) -> Outcome {
        let node = &mut self.nodes[usize::from(host == Host::B)];
        node.plug(&self.net, &self.watch, host)?;
        self.node(host).switch_on()?;
        self.note(format!("{} has power", self.net.name(host)));
        Ok(())
    }

    fn switch_on(&mut self, host: Host) -> Outcome {
        self.power_on_without_network(host)?;
        self.nodes[usize::from(host == Host::B)].address(&self.net, host)
    }

    /// What the judge found: overlaps longer than allowed.
    pub fn judge(&self) -> Outcome {
        self.judge_since(0)
    }

    /// What it found of those that lasted until then at least.
    pub fn judge_since(&self, from: Micros) -> Outcome {
        let mut overlaps = self.watch.overlaps();
        overlaps.retain(|overlap| overlap.until >= from);
        self.record.judge(&overlaps)
    }
}

//! The figures under load: what happens to a VIP while the machine has no time, and containers come and go, whose
//! namespaces and interfaces keep the kernel's network lock busy.
//!
//! Nothing is broken, so whatever is counted here is the contender's own doing.

use crate::client::Client;
use crate::contender::Contender;
use crate::lab::{Lab, Outcome};
use crate::net::{Net, VIP, batch};
use crate::record::seconds;
use crate::sys::{Micros, now};
use crate::watch::{Change, Event};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Busy loops beside the pair.
const SPINNERS: usize = 3;

/// Busy loops and churn, until dropped.
pub struct Load {
    over: Arc<AtomicBool>,
    jobs: Vec<JoinHandle<io::Result<()>>>,
    passed: Arc<AtomicU32>,
}

impl Load {
    /// Begins.
    pub fn start(net: &Arc<Net>) -> Load {
        let over = Arc::<AtomicBool>::default();
        let spin = || {
            std::hint::spin_loop();
            Ok(())
        };
        let mut jobs: Vec<_> = (0..SPINNERS).map(|_| until(&over, spin)).collect();
        let (net, passed) = (net.clone(), Arc::<AtomicU32>::default());
        let count = passed.clone();
        jobs.push(until(&over, move || {
            batch(None, &net.passing(count.fetch_add(1, Ordering::Relaxed)))
        }));
        Load { over, jobs, passed }
    }

    /// Ends it, and tells how many containers passed on each node; an error if they ended before.
    pub fn end(mut self) -> io::Result<u32> {
        self.over.store(true, Ordering::Relaxed);
        for job in self.jobs.drain(..) {
            job.join().expect("it does not panic")?;
        }
        Ok(self.passed.load(Ordering::Relaxed))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.jobs.drain(..).for_each(|job| drop(job.join()));
    }
}

fn until(
    over: &Arc<AtomicBool>,
    mut job: impl FnMut() -> io::Result<()> + Send + 'static,
) -> JoinHandle<io::Result<()>> {
    let over = over.clone();
    std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            job()?;
        }
        Ok(())
    })
}

/// Lets a settled pair bear the load for so long, and says in one line what became of its VIP.
pub fn bear(lab: &mut Lab, contender: Contender, during: Duration) -> Outcome<String> {
    lab.reset()?;
    for host in crate::net::NODES {
        contender.configure(lab, host)?;
    }
    for host in crate::net::NODES {
        contender.start(lab, host)?;
    }
    let client = lab.client(VIP)?;
    client.answered(None, PATIENCE)?;
    lab.settled(PATIENCE)?;
    // Both have announced for the second time, and know their gateway.
    std::thread::sleep(PATIENCE);
    let from = now();
    let load = Load::start(&lab.net);
    std::thread::sleep(during);
    let passed = load.end()?;
    let told = told(lab, &client, from);
    Ok(format!("{told}; {passed} containers passed on each node"))
}

const PATIENCE: Duration = Duration::from_secs(10);

fn told(lab: &Lab, client: &Client, from: Micros) -> String {
    let of_vip = |e: &&Event| e.at >= from && e.address.to_string() == VIP;
    let events = lab.watch.events();
    let count = |change| {
        events
            .iter()
            .filter(of_vip)
            .filter(|e| e.change == change)
            .count()
    };
    let both: Micros = lab
        .watch
        .overlaps()
        .iter()
        .filter(|o| o.from >= from)
        .map(|o| o.until - o.from)
        .sum();
    format!(
        "dropped {} times, taken {} times, on both {}; client: silent for {} in all, {} at longest",
        count(Change::Deleted),
        count(Change::Added),
        seconds(Duration::from_micros(both)),
        seconds(client.silence(from)),
        seconds(client.outage(from).length()),
    )
}

//! Who writes numbered records through the service on the VIP, and remembers which were acknowledged: each of these must
//! be on the disk at the end, in order.

use crate::ensure;
use crate::lab::Outcome;
use crate::net::{Host, Net};
use crate::sys::{self, Micros, now};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A writer, until it is dropped.
pub struct Writer {
    acknowledged: Arc<Mutex<Vec<(u64, Micros)>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One record may wait so long before another connection is tried; the record is another then.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

impl Writer {
    /// Begins to write by this page, whose query is the record.
    pub fn start(net: &Net, page: &'static str) -> Writer {
        let acknowledged: Arc<Mutex<Vec<(u64, Micros)>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let address: IpAddr = net.topology.vip.parse().expect("an address");
        let netns = net.netns(Host::Client);
        let (told, ends) = (acknowledged.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            sys::enter(&netns).expect("the client has a namespace");
            // Numbers grow over all writers.
            let mut record = now();
            while !ends.load(Ordering::Relaxed) {
                record += 1;
                if put(address, page, record) {
                    told.lock().expect("no panic").push((record, now()));
                }
                std::thread::sleep(PAUSE);
            }
        });
        Writer {
            acknowledged,
            over,
            thread: Some(thread),
        }
    }

    /// Writes no more.
    pub fn stop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// Waits until a record of after that moment was acknowledged.
    pub fn acknowledged_after(&self, from: Micros, limit: Duration) -> Outcome {
        let last = || self.all().last().map_or(0, |(_, at)| *at);
        while last() <= from {
            ensure!(
                sys::since(from) < limit,
                "nothing was acknowledged for {limit:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// The longest time since that moment in which nothing was acknowledged.
    pub fn stall(&self, from: Micros) -> Duration {
        let all = self.all();
        let times: Vec<Micros> = all.iter().map(|(_, at)| *at).collect();
        let pairs = times.windows(2).filter(|pair| pair[1] >= from);
        let longest = pairs.map(|pair| pair[1] - pair[0]).max();
        Duration::from_micros(longest.unwrap_or_default())
    }

    /// How many were.
    pub fn count(&self) -> usize {
        self.all().len()
    }

    /// Every acknowledged record is among these lines, in order.
    pub fn check(&self, lines: &str) -> Outcome {
        let found: Vec<u64> = lines.lines().filter_map(|line| line.parse().ok()).collect();
        let all = self.all();
        let known = |record: &u64| found.iter().position(|other| other == record);
        let lost = all.iter().map(|(record, _)| *record);
        let lost: Vec<u64> = lost.filter(|record| known(record).is_none()).collect();
        ensure!(
            lost.is_empty(),
            "{} of {} acknowledged records are lost, the first is {}",
            lost.len(),
            all.len(),
            lost[0]
        );
        // Those that were given up while all I/O was frozen came when it went on, in whatever order.
        let places = all.iter().filter_map(|(record, _)| known(record));
        let places: Vec<usize> = places.collect();
        ensure!(
            places.windows(2).all(|pair| pair[0] < pair[1]),
            "acknowledged records are out of order"
        );
        Ok(())
    }

    fn all(&self) -> Vec<(u64, Micros)> {
        self.acknowledged.lock().expect("no panic").clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Writes a record; true: it is acknowledged to be on the disk.
fn put(address: IpAddr, page: &str, record: u64) -> bool {
    let ask = || -> std::io::Result<String> {
        let target = SocketAddr::new(address, 80);
        let mut stream = TcpStream::connect_timeout(&target, Duration::from_millis(500))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {page}?{record} HTTP/1.0\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    };
    ask().is_ok_and(|reply| {
        reply.starts_with("HTTP/1.1 200 ") && reply.ends_with(&format!("written {record}\n"))
    })
}

//! A peer from another time: it knows the key and echoes what it hears, but speaks wire versions
//! that nobody has yet.

use crate::lab::{Lab, Outcome};
use crate::net::{HEARTBEAT_PORT, Host, Wire};
use crate::sys::{self, within};
use crate::toml::{KEY, Settings};
use ha_appliance::wire::heartbeat::{Echo, GroupReport, Heartbeat, Role, Side, Versions, hash};
use ha_appliance::wire::{Keyring, decode, encode};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// It speaks in a node's place, whose own daemon must not run, until dropped.
pub struct FakePeer {
    over: Arc<AtomicBool>,
    speaker: Option<JoinHandle<()>>,
}

impl FakePeer {
    /// Starts speaking over the interlink, in given wire versions.
    pub fn start(lab: &Lab, host: Host, versions: Versions) -> Outcome<FakePeer> {
        FakePeer::speaking(lab, host, first_words(host, versions), true)
    }

    /// Starts speaking over the interlink as if this were the other node too, and hears nothing.
    pub fn twin(lab: &Lab, host: Host) -> Outcome<FakePeer> {
        let versions = Versions {
            lowest: 1,
            highest: 1,
        };
        FakePeer::speaking(lab, host, first_words(host.peer(), versions), false)
    }

    fn speaking(lab: &Lab, host: Host, words: Heartbeat, hears: bool) -> Outcome<FakePeer> {
        let address =
            |host: Host| format!("10.88.0.{}:{HEARTBEAT_PORT}", host.number(Wire::Interlink));
        let socket = within(&lab.net.netns(host), || UdpSocket::bind(address(host)))?;
        socket.connect(address(host.peer()))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let key = (0..KEY.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&KEY[i..i + 2], 16));
        let keys =
            Keyring::new(vec![key.collect::<Result<_, _>>()?]).ok_or("the key is too short")?;
        let over = Arc::new(AtomicBool::new(false));
        let speaker = std::thread::spawn({
            let over = over.clone();
            move || speak(&socket, &keys, words, hears, &over)
        });
        Ok(FakePeer {
            over,
            speaker: Some(speaker),
        })
    }
}

impl Drop for FakePeer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(speaker) = self.speaker.take() {
            let _ = speaker.join();
        }
    }
}

/// Answers what it hears with the echo of it, if it hears; the node's own heartbeats set the pace.
fn speak(
    socket: &UdpSocket,
    keys: &Keyring,
    mut heartbeat: Heartbeat,
    hears: bool,
    over: &AtomicBool,
) {
    let mut bytes = [0; 2048];
    while !over.load(Ordering::Relaxed) {
        if let Ok(length) = socket.recv(&mut bytes)
            && let Ok(heard) = decode(&bytes[..length], keys)
            && hears
        {
            heartbeat.echo = Echo {
                incarnation: heard.incarnation,
                sequence: heard.sequence,
            };
            // Whatever token the node shows, it has stopped everything and agrees.
            let agrees = |g: &GroupReport| GroupReport {
                contested: false,
                proven_stopped: true,
                role: Role::Stopped,
                ..*g
            };
            heartbeat.groups = heard.groups.iter().map(agrees).collect();
        }
        heartbeat.sequence += 1;
        let _ = socket.send(&encode(&heartbeat, keys));
    }
}

fn first_words(host: Host, versions: Versions) -> Heartbeat {
    let settings = Settings::default();
    Heartbeat {
        versions,
        cluster: hash(&settings.cluster),
        nodes: hash(&format!("{}\n{}", settings.first, settings.second)),
        node: if host == Host::A {
            Side::First
        } else {
            Side::Second
        },
        incarnation: 1 + sys::random(u64::MAX - 1),
        sequence: 0,
        echo: Echo::default(),
        challenges: Vec::new(),
        heard_paths: 0,
        interval: Duration::from_millis(100),
        misses: 5,
        solicit: false,
        goodbye: false,
        fence_me: false,
        fencing: None,
        groups: vec![],
        listed: vec![],
        wishes: Vec::new(),
        vifs: Vec::new(),
        request: None,
        answer: None,
        digest: 0,
        software: "99.0.0".into(),
    }
}

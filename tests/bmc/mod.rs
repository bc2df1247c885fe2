//! A BMC under test: IPMI 2.0 over LAN with cipher suites 3 and 17, on a port of its own on loopback, and every
//! way in which the field's BMCs were seen to misbehave. That it is a BMC at all, `ipmitool` and `ipmipower` say.
#![allow(dead_code)] // each judge uses its part

pub mod off;
#[path = "../simulator/rng.rs"]
pub mod rng;

use ha_appliance::agents::fence::ipmi::packet::{self, Kind};
use ha_appliance::agents::fence::ipmi::suite::{Keys, Suite};
use rng::Rng;
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub const USER: &str = "ha";
pub const PASSWORD: &str = "it's \"20\" `bytes`#$ ";

/// A BMC that runs until it is dropped.
pub struct TestBmc {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How it is, and what it saw.
pub struct State {
    pub on: bool,
    pub fault: bool,
    pub password: Vec<u8>,
    pub kg: Option<Vec<u8>>,
    pub suites: Vec<Suite>,
    /// The most that its user may do (IPMI's number).
    pub privilege: u8,
    pub slots: usize,
    /// It hashes what was asked in Open Session, without the bit "by name only".
    pub hashes_open_session: bool,
    /// So many of a hundred packets are lost, each way.
    pub loss: usize,
    /// Every packet comes twice.
    pub doubles: bool,
    /// An answer to somebody else comes before each.
    pub strays: bool,
    /// Instead of reading the power it says again what it said first, word by word.
    pub repeats_first: bool,
    first: Option<Vec<u8>>,
    /// The checksums inside of a session are wrong.
    pub wrong_checksums: bool,
    pub close_unanswered: bool,
    /// It says nothing any more after so many packets.
    pub dies_after: Option<usize>,
    /// What it does when told to switch off.
    pub off: OffWay,
    /// Completion codes for the next commands, before any other answer.
    pub codes: Vec<u8>,
    /// Every Chassis Control that it carried out.
    pub switched: Vec<u8>,
    /// Open Session Requests seen.
    pub opened: usize,
    sessions: HashMap<u32, Session>,
    seen: usize,
    /// What is lost follows from this.
    pub dice: Rng,
}

/// How a power-off goes.
#[derive(Clone, Copy)]
pub enum OffWay {
    /// So long after it was accepted.
    After(Duration),
    /// It is accepted and nothing happens.
    Never,
    /// Only the second one does it.
    Second,
    /// It says off at once, and on again after that.
    Blink(Duration),
    /// A machine that is off answers D5h.
    NotTwice,
}

struct Session {
    suite: Suite,
    console: u32,
    role: u8,
    asked: u8,
    random: [u8; 16],
    own: [u8; 16],
    sik: Vec<u8>,
    keys: Option<Keys>,
    sequence: u32,
    /// The request answered last, and what was said.
    last: Option<(u8, u8, Vec<u8>)>,
    off_at: Option<Instant>,
}

const GUID: [u8; 16] = *b"a test BMC's own";

impl TestBmc {
    pub fn start() -> TestBmc {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let wait = Some(Duration::from_millis(20));
        socket.set_read_timeout(wait).unwrap();
        let address = socket.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, over) = (state.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let mut plan = Plan::default();
            let mut buffer = [0; 1024];
            while !over.load(Ordering::Relaxed) {
                let received = socket.recv_from(&mut buffer);
                let mut state = theirs.lock().unwrap();
                plan.pass(&mut state);
                let Ok((length, from)) = received else {
                    continue;
                };
                for answer in state.hear(&buffer[..length], &mut plan) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        TestBmc {
            address,
            state,
            stop,
            thread: Some(thread),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Sessions that nobody closed.
    pub fn open_sessions(&self) -> usize {
        self.state().sessions.len()
    }
}

impl Drop for TestBmc {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// When the power changes.
#[derive(Default)]
struct Plan {
    at: Option<(Instant, bool)>,
    asked: usize,
}

impl Plan {
    fn pass(&mut self, state: &mut State) {
        if let Some((_, on)) = self.at.take_if(|(at, _)| Instant::now() >= *at) {
            state.on = on;
        }
    }
}

impl State {
    fn new() -> State {
        State {
            on: true,
            fault: false,
            password: PASSWORD.into(),
            kg: None,
            suites: vec![Suite::Three, Suite::Seventeen],
            privilege: 3,
            slots: 4,
            hashes_open_session: false,
            loss: 0,
            doubles: false,
            strays: false,
            repeats_first: false,
            first: None,
            wrong_checksums: false,
            close_unanswered: false,
            dies_after: None,
            off: OffWay::After(Duration::ZERO),
            codes: vec![],
            switched: vec![],
            opened: 0,
            sessions: HashMap::new(),
            seen: 0,
            dice: Rng::new(0),
        }
    }

    fn lost(&mut self) -> bool {
        self.dice.below(100) < self.loss
    }

    fn hear(&mut self, bytes: &[u8], plan: &mut Plan) -> Vec<Vec<u8>> {
        self.seen += 1;
        if self.dies_after.is_some_and(|n| self.seen > n) || self.lost() {
            return vec![];
        }
        if let Some(answer) = capabilities(bytes) {
            return vec![answer];
        }
        let id = bytes
            .get(6..10)
            .map_or(0, |id| u32::from_le_bytes(id.try_into().unwrap()));
        let keys = self.sessions.get(&id).and_then(|s| s.keys.clone());
        let Some(packet) = packet::read(bytes, keys.as_ref()) else {
            return vec![];
        };
        let answer = match packet.kind {
            Kind::SetUp(0x10) => self.open(&packet.payload),
            Kind::SetUp(0x12) => self.challenge(&packet.payload),
            Kind::SetUp(0x14) => self.agree(&packet.payload),
            Kind::SetUp(_) => None,
            Kind::Ipmi => self.command(id, &packet.payload, plan),
        };
        let Some(answer) = answer else { return vec![] };
        let mut answers = vec![];
        if self.strays {
            let mut other = answer.clone();
            let at = 16.min(other.len() - 1); // the tag, or what is sealed
            other[at] ^= 0x55;
            answers.push(other);
        }
        if !self.lost() {
            answers.push(answer.clone());
        }
        if self.doubles {
            answers.push(answer);
        }
        answers
    }

    fn open(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        self.opened += 1;
        let (tag, asked) = (payload[0], payload[1]);
        let console = u32::from_le_bytes(payload[4..8].try_into().ok()?);
        let algorithms = [payload[12], payload[20], payload[28]];
        let suite = self
            .suites
            .iter()
            .copied()
            .find(|s| s.algorithms() == algorithms);
        let Some(suite) = suite else {
            return Some(packet::set_up(0x11, &[tag, 0x11]));
        };
        if self.sessions.len() >= self.slots {
            return Some(packet::set_up(0x11, &[tag, 0x01, 0, 0, 0, 0, 0, 0]));
        }
        if asked > self.privilege {
            return Some(packet::set_up(0x11, &[tag, 0x09]));
        }
        let id = 0xb000_0000 + self.opened as u32;
        let mut own = [0x77; 16];
        own[..4].copy_from_slice(&id.to_le_bytes());
        let session = Session {
            suite,
            console,
            role: 0,
            asked,
            random: [0; 16],
            own,
            sik: vec![],
            keys: None,
            sequence: 0,
            last: None,
            off_at: None,
        };
        self.sessions.insert(id, session);
        let granted = if asked == 0 { self.privilege } else { asked };
        let mut body = vec![tag, 0, granted, 0];
        body.extend(&payload[4..8]);
        body.extend(id.to_le_bytes());
        body.extend(&payload[8..32]);
        Some(packet::set_up(0x11, &body))
    }

    fn challenge(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let tag = payload[0];
        let id = u32::from_le_bytes(payload[4..8].try_into().ok()?);
        let hashes_asked = self.hashes_open_session;
        let password = self.password.clone();
        let kg = self.kg.clone().unwrap_or(password.clone());
        let session = self.sessions.get_mut(&id)?;
        session.random.copy_from_slice(&payload[8..24]);
        let name = &payload[28..28 + usize::from(payload[27])];
        session.role = if hashes_asked {
            session.asked
        } else {
            payload[24]
        };
        let console = session.console.to_le_bytes();
        if name != USER.as_bytes() {
            self.sessions.remove(&id);
            return Some(packet::set_up(
                0x13,
                &[&[tag, 0x0d, 0, 0], &console[..]].concat(),
            ));
        }
        let who = [&[session.role, name.len() as u8], name].concat();
        let ids = id.to_le_bytes();
        let proof = session.suite.hash(
            &password,
            &[&console, &ids, &session.random, &session.own, &GUID, &who],
        );
        session.sik = session
            .suite
            .hash(&kg, &[&session.random, &session.own, &who]);
        let body = [&[tag, 0, 0, 0], &console[..], &session.own, &GUID, &proof].concat();
        Some(packet::set_up(0x13, &body))
    }

    fn agree(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let tag = payload[0];
        let id = u32::from_le_bytes(payload[4..8].try_into().ok()?);
        let password = self.password.clone();
        let session = self.sessions.get_mut(&id)?;
        let console = session.console.to_le_bytes();
        let who = [&[session.role, USER.len() as u8], USER.as_bytes()].concat();
        let proof = session
            .suite
            .hash(&password, &[&session.own, &console, &who]);
        if payload.get(8..) != Some(&proof[..]) {
            self.sessions.remove(&id);
            return Some(packet::set_up(
                0x15,
                &[&[tag, 0x0f, 0, 0], &console[..]].concat(),
            ));
        }
        session.keys = Some(Keys::of(session.suite, &session.sik));
        let ids = id.to_le_bytes();
        let mut proof = session
            .suite
            .hash(&session.sik, &[&session.random, &ids, &GUID]);
        proof.truncate(session.suite.cut());
        let body = [&[tag, 0, 0, 0], &console[..], &proof].concat();
        Some(packet::set_up(0x15, &body))
    }

    fn command(&mut self, id: u32, payload: &[u8], plan: &mut Plan) -> Option<Vec<u8>> {
        let message = packet::read_message(payload)?;
        let asked = (message.number, message.command);
        let last = self.sessions.get(&id)?.last.clone();
        let data = match last {
            Some((number, command, data)) if (number, command) == asked => data, // repeated
            _ => self.carry_out(&message, plan),
        };
        let closes = (message.netfn, message.command) == (0x06, 0x3c);
        let quiet = closes && self.close_unanswered;
        let wrong = self.wrong_checksums;
        let session = self.sessions.get_mut(&id)?;
        session.last = Some((asked.0, asked.1, data.clone()));
        session.sequence += 1;
        let mut answer = packet::response(message.netfn | 1, asked.0, asked.1, &data);
        if wrong {
            *answer.last_mut()? ^= 0x5a;
        }
        let keys = session.keys.as_ref()?;
        let iv = [session.sequence as u8; 16];
        let answer = packet::sealed(keys, session.console, session.sequence, iv, &answer);
        if closes {
            self.sessions.remove(&id);
        }
        if self.repeats_first && (message.netfn, message.command) == (0x00, 0x01) {
            let first = self.first.get_or_insert(answer);
            return Some(first.clone());
        }
        (!quiet).then_some(answer)
    }

    fn carry_out(&mut self, message: &packet::Message, plan: &mut Plan) -> Vec<u8> {
        let command = (message.netfn, message.command);
        let closes = command == (0x06, 0x3c);
        if let (Some(code), false) = (self.codes.first().copied(), closes) {
            self.codes.remove(0);
            return vec![code];
        }
        match command {
            (0x06, 0x3b) if message.data[0] <= self.privilege => vec![0, message.data[0]],
            (0x06, 0x3b) => vec![0x81],
            (0x06, 0x3c) => vec![0],
            (0x00, 0x01) => vec![
                0,
                u8::from(self.on) | u8::from(self.fault) << 4 | 2 << 5,
                0,
                0,
            ],
            (0x00, 0x02) => self.switch(message.data[0], plan),
            _ => vec![0xc1],
        }
    }

    fn switch(&mut self, to: u8, plan: &mut Plan) -> Vec<u8> {
        self.switched.push(to);
        let now = Instant::now();
        match (to, self.off) {
            (0, OffWay::After(Duration::ZERO)) => self.on = false,
            (0, OffWay::After(span)) => plan.at = Some((now + span, false)),
            (0, OffWay::Never) => {}
            (0, OffWay::Second) => {
                plan.asked += 1;
                self.on &= plan.asked < 2;
            }
            (0, OffWay::Blink(span)) => {
                self.on = false;
                plan.at = Some((now + span, true));
                self.off = OffWay::After(Duration::ZERO);
            }
            (0, OffWay::NotTwice) if !self.on => return vec![0xd5],
            (0, OffWay::NotTwice) => {
                self.on = false;
                return vec![0xd5];
            }
            (1, _) => self.on = true,
            _ => return vec![0xcc],
        }
        vec![0]
    }
}

/// Get Channel Authentication Capabilities, which only tools ask, in the format of IPMI 1.5: a header without a
/// session (section 13.6, format 00h).
fn capabilities(bytes: &[u8]) -> Option<Vec<u8>> {
    let [
        0x06,
        0x00,
        0xff,
        0x07,
        0,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        payload @ ..,
    ] = bytes
    else {
        return None;
    };
    let message = packet::read_message(payload)?;
    // Channel 1, IPMI 2.0 alone, users with names.
    let data = [0, 1, 0x80, 0x04, 0x02, 0, 0, 0, 0];
    let answer = match (message.netfn, message.command) {
        (0x06, 0x38) => packet::response(0x07, message.number, 0x38, &data),
        (netfn, command) => packet::response(netfn | 1, message.number, command, &[0xc1]),
    };
    let head = [0x06, 0x00, 0xff, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    Some([&head[..], &[answer.len() as u8], &answer].concat())
}

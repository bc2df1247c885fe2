//! One session with a BMC, from the first packet to the last.
//!
//! A packet lost while the session is set up begins that anew, with numbers of its own; one lost later is
//! repeated under the same number, so that nothing is done twice. What is not for this attempt is dropped and
//! counted. A BMC that never answered is given up soon; one that answers is kept until the deadline.

use super::failure::Failure;
use super::handshake::{Handshake, Login, Random, Session, Unheard};
use super::packet::{self, Kind, Message};
use super::suite::{IV, Suite};
use super::{Bmc, Chassis, Switch};
use crate::agents::sys;
use smol::net::UdpSocket;
use std::io;
use std::time::{Duration, Instant};

/// A session.
pub(super) struct Console<'a> {
    /// When it was begun.
    pub began: Instant,
    /// When it must be over.
    pub deadline: Instant,
    bmc: &'a Bmc,
    socket: UdpSocket,
    session: Option<Session>,
    /// Of the packets in the session: the last one sent, and the highest heard. What is not above that is old: a
    /// request's number comes again after 64 others.
    sequence: u32,
    heard_sequence: u32,
    /// Of the requests.
    number: u8,
    /// The longest that an answer took lately; None: nothing was answered.
    slowest: Option<Duration>,
    /// A BMC is there, whatever it said.
    heard: bool,
    strays: u32,
    damaged: u32,
}

/// A BMC that never answered is dead after so long.
const DEAD: Duration = Duration::from_millis(4900);
/// An answer is waited for at least and at most so long. While nothing is known of how quick the BMC is, every
/// other attempt is a quick one, against loss, and those between them wait twice as long each time.
const QUICK: Duration = Duration::from_millis(250);
const SLOW: Duration = Duration::from_secs(4);
/// A session in which nothing was answered for so long is given up for another.
const LOST: Duration = Duration::from_secs(4);
/// All sessions are taken, or the BMC is busy: it is asked again.
const PAUSE: Duration = Duration::from_secs(1);
const BUSY: Duration = Duration::from_millis(200);

/// Network functions and commands (IPMI 2.0 appendix G).
const CHASSIS: u8 = 0x00;
const APPLICATION: u8 = 0x06;

impl<'a> Console<'a> {
    /// Logs in.
    pub async fn open(bmc: &'a Bmc, deadline: Instant) -> Result<Console<'a>, Failure> {
        let any: std::net::IpAddr = match bmc.account.address.is_ipv4() {
            true => std::net::Ipv4Addr::UNSPECIFIED.into(),
            false => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(bmc.account.address).await?;
        let mut console = Console {
            began: Instant::now(),
            deadline,
            bmc,
            socket,
            session: None,
            sequence: 0,
            heard_sequence: 0,
            number: 0,
            slowest: None,
            heard: false,
            strays: 0,
            damaged: 0,
        };
        console.log_in().await?;
        Ok(console)
    }

    /// Something else is asked, and answered by then.
    pub fn again(&mut self, deadline: Instant) {
        (self.began, self.deadline) = (Instant::now(), deadline);
        // Whether the BMC is still there is to be seen.
        self.heard = false;
    }

    /// Get Chassis Status.
    pub async fn chassis(&mut self) -> Result<Chassis, Failure> {
        let asked = "Get Chassis Status";
        let data = self.command(asked, CHASSIS, 0x01, &[]).await?;
        Chassis::read(&data).ok_or(Failure::Silent { asked })
    }

    /// Chassis Control. In a state in which the command makes no sense (D5h: some say so of a machine that is
    /// off already) the power is what a later reading says.
    pub async fn switch(&mut self, to: Switch) -> Result<(), Failure> {
        let command = "Chassis Control";
        match self.command(command, CHASSIS, 0x02, &[to as u8]).await {
            Ok(_) | Err(Failure::Refused { code: 0xd5, .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Ends the session, so that the BMC has it for others: said again once, if it is not answered.
    pub async fn close(mut self) {
        let Some(session) = self.session.take() else {
            return;
        };
        let id = session.theirs.to_le_bytes();
        self.number += 1;
        for _ in 0..2 {
            let _ = self.send(&session, APPLICATION, 0x3c, &id).await;
            let until = Instant::now() + QUICK;
            if let Ok(Some(_)) = self.response(&session, (APPLICATION, 0x3c), until).await {
                break;
            }
        }
        if self.strays + self.damaged > 0 {
            log::debug!(
                "BMC {:?}: {} packets were for nobody here, {} had a wrong checksum",
                self.bmc.account,
                self.strays,
                self.damaged
            );
        }
    }

    async fn log_in(&mut self) -> Result<(), Failure> {
        let suites = match self.bmc.account.suite {
            Some(suite) => vec![suite],
            None => vec![Suite::Seventeen, Suite::Three],
        };
        let known = self.bmc.known.get();
        let known = known.filter(|(suite, _)| suites.contains(suite));
        let (mut suite, mut name_only) = known.unwrap_or((suites[0], true));
        let mut turned = false;
        let mut tries = 0;
        loop {
            tries += 1;
            let failure = match self.attempt(suite, name_only, tries).await? {
                Ok(session) => {
                    self.bmc.known.set(Some((suite, name_only)));
                    self.session = Some(session);
                    (self.sequence, self.heard_sequence) = (0, 0);
                    return self.raise_privilege().await;
                }
                Err(failure) => failure,
            };
            match failure {
                // Silence is no refusal: the same again.
                None => {}
                Some(Failure::Suite(..)) if suites.last() != Some(&suite) => {
                    suite = suites[1];
                }
                Some(Failure::Suite(..)) if known.is_some_and(|(last, _)| last == suite) => {
                    // It was updated: what worked does not any more.
                    self.bmc.known.set(None);
                    return Box::pin(self.log_in()).await;
                }
                // BMCs differ in what they hash.
                Some(Failure::Password { .. }) if !turned => {
                    (turned, name_only) = (true, !name_only);
                }
                Some(Failure::NoFreeSession) if Instant::now() + PAUSE < self.deadline => {
                    smol::Timer::after(PAUSE).await;
                }
                Some(failure) => return Err(failure),
            }
            let now = Instant::now();
            if !self.heard && now >= (self.began + DEAD).min(self.deadline) {
                return Err(Failure::NoReply);
            }
            if now >= self.deadline {
                let asked = "what sets a session up";
                return Err(Failure::Silent { asked });
            }
        }
    }

    /// One attempt: a session; a refusal; or silence.
    async fn attempt(
        &mut self,
        suite: Suite,
        name_only: bool,
        tries: u32,
    ) -> Result<Result<Session, Option<Failure>>, Failure> {
        let account = &self.bmc.account;
        let login = Login {
            user: account.user.as_bytes(),
            password: &account.password,
            kg: account.kg.as_deref(),
            privilege: account.privilege,
            suite,
            name_only,
        };
        let mut attempt = Handshake::new(login, random()?);
        let first = attempt.open();
        let rakp1 = match self
            .step(&first, 0x11, tries, |p| attempt.opened(p))
            .await?
        {
            Ok(packet) => packet,
            Err(failure) => return Ok(Err(failure)),
        };
        let rakp3 = match self
            .step(&rakp1, 0x13, tries, |p| attempt.challenged(p))
            .await?
        {
            Ok(packet) => packet,
            Err(failure) => return Ok(Err(failure)),
        };
        self.step(&rakp3, 0x15, tries, |p| attempt.agreed(p)).await
    }

    /// Sends one message of the set-up and waits for its answer.
    async fn step<T>(
        &mut self,
        message: &[u8],
        answer: u8,
        tries: u32,
        mut hear: impl FnMut(&[u8]) -> Result<T, Unheard>,
    ) -> Result<Result<T, Option<Failure>>, Failure> {
        let sent = Instant::now();
        self.transmit(message).await?;
        let patience = match self.slowest {
            Some(_) => self.patience(),
            None if tries % 2 == 1 => QUICK,
            None => (QUICK * (1 << (tries / 2).min(8))).min(SLOW),
        };
        let mut until = (sent + patience).min(self.deadline);
        if !self.heard {
            until = until.min(self.began + DEAD);
        }
        while let Some(bytes) = self.receive(until).await? {
            let packet = packet::read(&bytes, None);
            self.heard |= packet.is_some();
            let packet = packet.filter(|p| p.kind == Kind::SetUp(answer));
            match packet.map_or(Err(Unheard::Stray), |packet| hear(&packet.payload)) {
                Ok(answer) => {
                    self.answered(sent);
                    return Ok(Ok(answer));
                }
                Err(Unheard::Refused(failure)) => {
                    self.answered(sent);
                    return Ok(Err(Some(failure)));
                }
                Err(Unheard::Stray) => self.strays += 1,
            }
        }
        Ok(Err(None))
    }

    /// Set Session Privilege Level: a session begins with that of a user.
    async fn raise_privilege(&mut self) -> Result<(), Failure> {
        let command = "Set Session Privilege Level";
        let level = [self.bmc.account.privilege as u8];
        let session = self.session.take().expect("it stands");
        let raised = self
            .asks(&session, command, (APPLICATION, 0x3b), &level)
            .await;
        self.session = Some(session);
        match raised? {
            Some(message) => match message.data.first() {
                Some(0) => Ok(()),
                Some(0x81) => Err(Failure::Role(0x81)),
                code => Err(refused(command, code)),
            },
            None => Err(Failure::Silent { asked: command }),
        }
    }

    /// Asks until it is answered, in another session if this one is lost. Gives what follows the completion code.
    async fn command(
        &mut self,
        name: &'static str,
        netfn: u8,
        command: u8,
        data: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        loop {
            let Some(session) = self.session.take() else {
                self.log_in().await?;
                continue;
            };
            let answer = self.asks(&session, name, (netfn, command), data).await?;
            let Some(message) = answer else {
                if Instant::now() >= self.deadline {
                    return Err(Failure::Silent { asked: name });
                }
                continue; // the session is lost
            };
            self.session = Some(session);
            match message.data.split_first() {
                Some((0, data)) => return Ok(data.to_vec()),
                // Busy, a duplicate, timed out inside of it.
                Some((0xc0 | 0xcf | 0xc3, _)) if Instant::now() + BUSY < self.deadline => {
                    smol::Timer::after(BUSY).await;
                }
                Some((code, _)) => return Err(refused(name, Some(code))),
                None => return Err(refused(name, None)),
            }
        }
    }

    /// The same request until it is answered; None: the session is lost, or time is over.
    async fn asks(
        &mut self,
        session: &Session,
        name: &'static str,
        (netfn, command): (u8, u8),
        data: &[u8],
    ) -> Result<Option<Message>, Failure> {
        self.number = (self.number + 1) % 64;
        let lost = (Instant::now() + LOST).min(self.deadline);
        while Instant::now() < lost {
            let sent = Instant::now();
            self.send(session, netfn, command, data).await?;
            let until = (sent + self.patience()).min(lost);
            if let Some(message) = self.response(session, (netfn, command), until).await? {
                self.answered(sent);
                return Ok(Some(message));
            }
        }
        log::debug!("BMC {:?}: {name} was not answered", self.bmc.account);
        Ok(None)
    }

    async fn send(
        &mut self,
        session: &Session,
        netfn: u8,
        command: u8,
        data: &[u8],
    ) -> Result<(), Failure> {
        self.sequence += 1;
        let request = packet::request(netfn, self.number, command, data);
        let (keys, id) = (&session.keys, session.theirs);
        let packet = packet::sealed(keys, id, self.sequence, random_iv()?, &request);
        self.transmit(&packet).await
    }

    async fn response(
        &mut self,
        session: &Session,
        (netfn, command): (u8, u8),
        until: Instant,
    ) -> Result<Option<Message>, Failure> {
        while let Some(bytes) = self.receive(until).await? {
            let packet = packet::read(&bytes, Some(&session.keys));
            let packet = packet.filter(|p| p.kind == Kind::Ipmi && p.session == session.ours);
            let packet = packet.filter(|p| p.sequence > self.heard_sequence);
            if let Some(packet) = &packet {
                self.heard_sequence = packet.sequence;
            }
            let message = packet.and_then(|p| packet::read_message(&p.payload));
            let wanted = |m: &Message| (m.netfn, m.number, m.command);
            match message {
                Some(message) if wanted(&message) == (netfn | 1, self.number, command) => {
                    self.damaged += u32::from(message.damaged);
                    return Ok(Some(message));
                }
                _ => self.strays += 1,
            }
        }
        Ok(None)
    }

    /// What cannot be sent now (no route, nobody answers ARP) is lost, like a packet on its way.
    async fn transmit(&self, packet: &[u8]) -> Result<(), Failure> {
        match self.socket.send(packet).await {
            Err(error) if !is_network(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The next packet before that moment.
    async fn receive(&self, until: Instant) -> Result<Option<Vec<u8>>, Failure> {
        let mut buffer = [0; 1024];
        loop {
            let received = async { Some(self.socket.recv(&mut buffer).await) };
            let over = async {
                smol::Timer::at(until).await;
                None
            };
            match smol::future::or(received, over).await {
                Some(Ok(length)) => return Ok(Some(buffer[..length].to_vec())),
                // Port unreachable, host unreachable: as good as silence, which has its time.
                Some(Err(error)) if is_network(&error) => {
                    if Instant::now() >= until {
                        return Ok(None);
                    }
                    smol::Timer::after(Duration::from_millis(20)).await;
                }
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(None),
            }
        }
    }

    fn answered(&mut self, sent: Instant) {
        let took = sent.elapsed();
        self.slowest = self.slowest.max(Some(took));
    }

    fn patience(&self) -> Duration {
        (self.slowest.unwrap_or_default() * 4).clamp(QUICK, SLOW)
    }
}

fn refused(command: &'static str, code: Option<&u8>) -> Failure {
    match code {
        Some(0xd4) => Failure::Privilege,
        code => Failure::Refused {
            command,
            code: code.copied().unwrap_or(0xff),
        },
    }
}

fn is_network(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionRefused | HostUnreachable | NetworkUnreachable | NetworkDown | Interrupted
    )
}

fn random() -> io::Result<Random> {
    let [number, other, more] = [sys::random()?, sys::random()?, sys::random()?];
    let session = u32::from_le_bytes([more[0], more[1], more[2], more[3]]).max(1);
    let mut all = [0; 16];
    all[..8].copy_from_slice(&number);
    all[8..].copy_from_slice(&other);
    Ok(Random {
        tag: more[4],
        session,
        number: all,
    })
}

fn random_iv() -> io::Result<[u8; IV]> {
    Ok(random()?.number)
}

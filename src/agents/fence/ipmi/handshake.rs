//! A session's set-up as far as it is pure: what is said at each step, and what comes of the answer
//! (IPMI 2.0 sections 13.17 to 13.23, 13.31).

use super::Privilege;
use super::failure::Failure;
use super::packet;
use super::suite::{Keys, Suite};

/// Who logs in, and how.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// At most 16 bytes.
    pub user: &'a [u8],
    /// At most 20 bytes.
    pub password: &'a [u8],
    /// The BMC's own key; None: the password is it.
    pub kg: Option<&'a [u8]>,
    /// The most that may be done in the session.
    pub privilege: Privilege,
    /// Which ciphers.
    pub suite: Suite,
    /// The user is looked up by name alone; otherwise by name and privilege. BMCs differ in which of the two
    /// they hash.
    pub name_only: bool,
}

/// One attempt, with numbers that no other attempt has: an answer to another is a stranger's.
pub struct Handshake<'a> {
    login: Login<'a>,
    tag: u8,
    session: u32,
    random: [u8; 16],
    theirs: u32,
    their_random: [u8; 16],
    guid: [u8; 16],
    sik: Vec<u8>,
}

/// Why a packet is not the answer that is waited for.
pub enum Unheard {
    /// It is not for this attempt, or not for this step.
    Stray,
    /// It is, and says no.
    Refused(Failure),
}

/// A session that stands.
pub struct Session {
    /// The BMC's number of it.
    pub theirs: u32,
    /// This side's number of it.
    pub ours: u32,
    /// What it signs and seals with.
    pub keys: Keys,
}

/// What makes an attempt unlike every other.
pub struct Random {
    /// Of the messages.
    pub tag: u8,
    /// Of the session, on this side; never zero.
    pub session: u32,
    /// Hashed into everything.
    pub number: [u8; 16],
}

impl<'a> Handshake<'a> {
    /// Begins anew.
    pub fn new(login: Login<'a>, random: Random) -> Handshake<'a> {
        Handshake {
            login,
            tag: random.tag,
            session: random.session,
            random: random.number,
            theirs: 0,
            their_random: [0; 16],
            guid: [0; 16],
            sik: vec![],
        }
    }

    /// Open Session Request.
    pub fn open(&self) -> Vec<u8> {
        let mut payload = vec![self.tag, self.login.privilege as u8, 0, 0];
        payload.extend(self.session.to_le_bytes());
        for (kind, algorithm) in (0..).zip(self.login.suite.algorithms()) {
            payload.extend([kind, 0, 0, 8, algorithm, 0, 0, 0]);
        }
        packet::set_up(0x10, &payload)
    }

    /// Open Session Response. Gives RAKP message 1.
    pub fn opened(&mut self, payload: &[u8]) -> Result<Vec<u8>, Unheard> {
        let body = self.answer("Open Session", payload)?;
        let Some(theirs) = body.first_chunk::<4>() else {
            return Err(Unheard::Stray);
        };
        self.theirs = u32::from_le_bytes(*theirs);
        // An answer that chose other ciphers than it was offered is none.
        let chosen = [12, 20, 28].map(|at| payload.get(at + 4).copied());
        if self.theirs == 0 || chosen != self.login.suite.algorithms().map(Some) {
            return Err(Unheard::Refused(Failure::Suite(self.login.suite, 0)));
        }
        let mut payload = vec![self.tag, 0, 0, 0];
        payload.extend(theirs);
        payload.extend(self.random);
        payload.extend([self.role(), 0, 0, self.login.user.len() as u8]);
        payload.extend(self.login.user);
        Ok(packet::set_up(0x12, &payload))
    }

    /// RAKP message 2. Gives RAKP message 3.
    pub fn challenged(&mut self, payload: &[u8]) -> Result<Vec<u8>, Unheard> {
        let body = self.answer("RAKP 1", payload)?;
        let suite = self.login.suite;
        let whole = 32 + suite.whole();
        let (Some(random), Some(guid), Some(proof)) =
            (body.get(..16), body.get(16..32), body.get(32..whole))
        else {
            return Err(Unheard::Stray);
        };
        self.their_random.copy_from_slice(random);
        self.guid.copy_from_slice(guid);
        let (ours, theirs) = (self.session.to_le_bytes(), self.theirs.to_le_bytes());
        let who = self.who();
        let password = self.login.password;
        let parts: [&[u8]; 6] = [&ours, &theirs, &self.random, random, guid, &who];
        if !suite.proves(password, &parts, proof) {
            let long = password.len() > 16;
            return Err(Unheard::Refused(Failure::Password { long }));
        }
        let parts: [&[u8]; 3] = [&self.random, random, &who];
        self.sik = suite.hash(self.login.kg.unwrap_or(password), &parts);
        let parts: [&[u8]; 3] = [random, &ours, &who];
        let mut payload = vec![self.tag, 0, 0, 0];
        payload.extend(theirs);
        payload.extend(suite.hash(password, &parts));
        Ok(packet::set_up(0x14, &payload))
    }

    /// RAKP message 4. Gives the session.
    pub fn agreed(&self, payload: &[u8]) -> Result<Session, Unheard> {
        let body = self.answer("RAKP 3", payload)?;
        let suite = self.login.suite;
        let theirs = self.theirs.to_le_bytes();
        let parts: [&[u8]; 3] = [&self.random, &theirs, &self.guid];
        match body.get(..suite.cut()) {
            Some(proof) if suite.proves(&self.sik, &parts, proof) => Ok(Session {
                theirs: self.theirs,
                ours: self.session,
                keys: Keys::of(suite, &self.sik),
            }),
            // RAKP 2 proved the password; what differs now is the BMC's own key.
            Some(_) => Err(Unheard::Refused(Failure::Session {
                at: "RAKP 3 (its key `kg` is another)",
                status: 0,
            })),
            None => Err(Unheard::Stray),
        }
    }

    /// What of an answer is after its status and this side's session.
    fn answer<'p>(&self, at: &'static str, payload: &'p [u8]) -> Result<&'p [u8], Unheard> {
        let [tag, status, rest @ ..] = payload else {
            return Err(Unheard::Stray);
        };
        let rest = rest.get(2..).and_then(|rest| rest.split_first_chunk::<4>());
        let (session, body) = match (rest, status) {
            (Some((session, body)), _) => (u32::from_le_bytes(*session), body),
            // A refusal may end after its status, or leave the session out.
            (None, 1..) => (0, &[][..]),
            (None, 0) => return Err(Unheard::Stray),
        };
        let ours = session == self.session || (*status != 0 && session == 0);
        if *tag != self.tag || !ours {
            return Err(Unheard::Stray);
        }
        let failure = match *status {
            0 => return Ok(body),
            0x01 => Failure::NoFreeSession,
            status @ (0x04 | 0x05 | 0x10 | 0x11) => Failure::Suite(self.login.suite, status),
            status @ (0x09 | 0x0a) => Failure::Role(status),
            0x0d => Failure::Name,
            0x0f => Failure::Password {
                long: self.login.password.len() > 16,
            },
            status => Failure::Session { at, status },
        };
        Err(Unheard::Refused(failure))
    }

    fn role(&self) -> u8 {
        self.login.privilege as u8 | if self.login.name_only { 0x10 } else { 0 }
    }

    /// Role, length and name, as they are hashed.
    fn who(&self) -> Vec<u8> {
        let user = self.login.user;
        [&[self.role(), user.len() as u8], user].concat()
    }
}

//! The cipher suites (IPMI 2.0 section 13.28 and table 22-20): keyed hashes of a session's set-up, integrity and
//! encryption of what is said in it.

use aes::Aes128;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use std::fmt;

/// The two that are worth speaking; every other is weaker, or known to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128.
    Three,
    /// RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128.
    Seventeen,
}

/// What is sealed begins with so many random bytes.
pub const IV: usize = 16;

impl Suite {
    /// Authentication, integrity and confidentiality, by their numbers (tables 13-17 to 13-19).
    pub fn algorithms(self) -> [u8; 3] {
        match self {
            Suite::Three => [1, 1, 1],
            Suite::Seventeen => [3, 4, 1],
        }
    }

    /// The keyed hash over all parts, one after the other.
    pub fn hash(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Suite::Three => keyed::<Hmac<Sha1>>(key, parts),
            Suite::Seventeen => keyed::<Hmac<Sha256>>(key, parts),
        }
    }

    /// Whether that is this hash, whole or as much of it as proves a session; compared in constant time.
    pub fn proves(self, key: &[u8], parts: &[&[u8]], proof: &[u8]) -> bool {
        [self.whole(), self.cut()].contains(&proof.len())
            && match self {
                Suite::Three => begins::<Hmac<Sha1>>(key, parts, proof),
                Suite::Seventeen => begins::<Hmac<Sha256>>(key, parts, proof),
            }
    }

    /// How much of a hash proves a session (RAKP 4) or a packet in it.
    pub fn cut(self) -> usize {
        match self {
            Suite::Three => 12,
            Suite::Seventeen => 16,
        }
    }

    /// The length of a whole hash (RAKP 2, RAKP 3).
    pub fn whole(self) -> usize {
        match self {
            Suite::Three => 20,
            Suite::Seventeen => 32,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Suite::Three => write!(f, "3"),
            Suite::Seventeen => write!(f, "17"),
        }
    }
}

/// What a session signs and seals with (section 13.32).
#[derive(Clone)]
pub struct Keys {
    suite: Suite,
    k1: Vec<u8>,
    k2: [u8; 16],
}

impl Keys {
    /// Made of the session integrity key.
    pub fn of(suite: Suite, sik: &[u8]) -> Keys {
        let constant = |n: u8| suite.hash(sik, &[&[n; 20]]);
        let mut k2 = [0; 16];
        k2.copy_from_slice(&constant(2)[..16]);
        let k1 = constant(1);
        Keys { suite, k1, k2 }
    }

    /// The proof of a packet.
    pub fn sign(&self, packet: &[u8]) -> Vec<u8> {
        let mut code = self.suite.hash(&self.k1, &[packet]);
        code.truncate(self.suite.cut());
        code
    }

    /// Whether that is the proof of a packet, compared in constant time.
    pub fn verifies(&self, packet: &[u8], code: &[u8]) -> bool {
        code.len() == self.proof() && self.suite.proves(&self.k1, &[packet], code)
    }

    /// How long a packet's proof is.
    pub fn proof(&self) -> usize {
        self.suite.cut()
    }

    /// Encrypts (section 13.29).
    pub fn seal(&self, iv: [u8; IV], plain: &[u8]) -> Vec<u8> {
        let mut block = plain.to_vec();
        let pad = (16 - (plain.len() + 1) % 16) % 16;
        block.extend(1..=pad as u8);
        block.push(pad as u8);
        let length = block.len();
        cbc::Encryptor::<Aes128>::new(&self.k2.into(), &iv.into())
            .encrypt_padded::<NoPadding>(&mut block, length)
            .expect("whole blocks");
        [&iv[..], &block].concat()
    }

    /// Decrypts; None: it is not whole blocks, or its padding is none.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (iv, block) = sealed.split_first_chunk::<IV>()?;
        let mut block = block.to_vec();
        cbc::Decryptor::<Aes128>::new(&self.k2.into(), &(*iv).into())
            .decrypt_padded::<NoPadding>(&mut block)
            .ok()?;
        let pad = usize::from(*block.last()?);
        let length = block.len().checked_sub(pad + 1)?;
        let padding = &block[length..block.len() - 1];
        let right = padding.iter().zip(1..).all(|(byte, n)| *byte == n);
        right.then(|| block[..length].to_vec())
    }
}

fn keyed<H: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    absorbed::<H>(key, parts).finalize().into_bytes().to_vec()
}

fn begins<H: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], proof: &[u8]) -> bool {
    let mac = absorbed::<H>(key, parts);
    mac.verify_truncated_left(proof).is_ok()
}

fn absorbed<H: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> H {
    let mut mac = <H as KeyInit>::new_from_slice(key).expect("an HMAC takes any key");
    parts.iter().for_each(|part| mac.update(part));
    mac
}

//! Who may speak: the keys that sign and verify heartbeats.
//!
//! Several keys make rotation possible without a gap: add the new key below the old one on both
//! nodes, then move it to the top on both, then remove the old one. At each step what either node
//! signs is known to the other.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// At least one key; the first signs, all verify.
///
/// The MAC is HMAC-SHA-256 (RFC 2104), cut to its first [`MAC_LEN`] bytes (RFC 2104 section 5; the
/// same cut as HMAC-SHA-256-128 of RFC 4868).
#[derive(Clone)]
pub struct Keyring {
    signing: Keyed,
    others: Vec<Keyed>,
}

/// Shortest key accepted, in bytes.
pub const MIN_KEY: usize = 16;

/// Length of a MAC, in bytes.
pub const MAC_LEN: usize = 16;

impl Keyring {
    /// `None` unless there is at least one key and each has at least [`MIN_KEY`] bytes.
    pub fn new(keys: Vec<Vec<u8>>) -> Option<Keyring> {
        let keyed: Option<Vec<Keyed>> = keys
            .iter()
            .map(|key| match key.len() {
                ..MIN_KEY => None,
                _ => Keyed::new_from_slice(key).ok(),
            })
            .collect();
        let mut keyed = keyed?.into_iter();
        Some(Keyring {
            signing: keyed.next()?,
            others: keyed.collect(),
        })
    }

    /// The first key's MAC over all parts, one after the other.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> [u8; MAC_LEN] {
        let full = absorb(&self.signing, parts).finalize().into_bytes();
        let mut mac = [0; MAC_LEN];
        for (to, from) in mac.iter_mut().zip(full) {
            *to = from;
        }
        mac
    }

    /// Whether any key made this MAC over these parts; each comparison takes constant time.
    pub(super) fn verifies(&self, parts: &[&[u8]], mac: &[u8; MAC_LEN]) -> bool {
        std::iter::once(&self.signing)
            .chain(&self.others)
            .any(|key| absorb(key, parts).verify_truncated_left(mac).is_ok())
    }
}

/// Says how many keys there are, never what they are.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", 1 + self.others.len())
    }
}

/// HMAC after its key schedule: cloning it saves two of the hash's blocks for every datagram.
type Keyed = Hmac<Sha256>;

fn absorb(key: &Keyed, parts: &[&[u8]]) -> Keyed {
    parts.iter().fold(key.clone(), |mut mac, part| {
        mac.update(part);
        mac
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_an_empty_ring_and_short_keys() {
        assert!(Keyring::new(vec![]).is_none());
        assert!(Keyring::new(vec![vec![1; 15]]).is_none());
        assert!(Keyring::new(vec![vec![1; 16], vec![2; 15]]).is_none());
        assert!(Keyring::new(vec![vec![1; 16], vec![2; 300]]).is_some());
    }

    #[test]
    fn agrees_with_rfc_4231_test_case_1() {
        let ring = Keyring::new(vec![vec![0x0b; 20]]).unwrap();
        let mac = 0xb034_4c61_d8db_3853_5ca8_afce_af0b_f12b_u128.to_be_bytes();
        assert_eq!(ring.sign(&[b"Hi There"]), mac);
        assert_eq!(ring.sign(&[b"Hi ", b"There"]), mac);
        assert!(ring.verifies(&[b"Hi There"], &mac));
    }

    #[test]
    fn says_nothing_of_its_keys() {
        let ring = Keyring::new(vec![b"a secret of sixteen".to_vec()]).unwrap();
        assert_eq!(format!("{ring:?}"), "Keyring(1 keys)");
    }
}

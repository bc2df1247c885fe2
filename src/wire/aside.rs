//! What the shells of the two nodes say to each other beside the heartbeat, which the core never sees: a stream of
//! bytes in each direction, whose next ones ride in every heartbeat until they are taken.
//!
//! ```text
//! sender's clock   u64   milliseconds since 1970, for people
//! taken            u32   so many bytes of the receiver's stream the sender has taken
//! place            u32   so many bytes of the sender's own stream stand before those that follow
//! bytes                  the next ones of the sender's stream, as many as there is room for
//! ```
//!
//! A stream begins anew with each pair of incarnations. Both numbers wrap.

use super::codec::Reject;
use super::reader::Reader;

/// What one heartbeat says aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aside<'a> {
    /// The sender's clock, in milliseconds since 1970.
    pub clock_ms: u64,
    /// How much of the receiver's stream the sender has taken.
    pub taken: u32,
    /// How much of the sender's stream stands before `bytes`.
    pub place: u32,
    /// What comes next of it. What there is no room for is said later.
    pub bytes: &'a [u8],
}

/// All but the stream's bytes.
const HEAD: usize = 16;

impl<'a> Aside<'a> {
    /// As the value of a TLV of at most `room` bytes; empty if not even the numbers fit.
    pub(super) fn encode(&self, room: usize) -> Vec<u8> {
        let Some(room) = room.checked_sub(HEAD) else {
            return Vec::new();
        };
        let bytes = &self.bytes[..self.bytes.len().min(room)];
        [
            &self.clock_ms.to_be_bytes()[..],
            &self.taken.to_be_bytes(),
            &self.place.to_be_bytes(),
            bytes,
        ]
        .concat()
    }

    pub(super) fn take(value: &mut Reader<'a>) -> Result<Aside<'a>, Reject> {
        Ok(Aside {
            clock_ms: value.u64("clock of the sender")?,
            taken: value.u32("how much was taken")?,
            place: value.u32("place in the stream")?,
            bytes: value.rest(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_for_later() {
        let aside = Aside {
            clock_ms: 0x0102_0304_0506_0708,
            taken: 9,
            place: 10,
            bytes: b"hello",
        };
        let whole = aside.encode(100);
        let numbers = [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 0, 0, 0, 10];
        assert_eq!(whole, [&numbers[..], b"hello"].concat());
        assert_eq!(Aside::take(&mut Reader::new(&whole)), Ok(aside));
        let some = aside.encode(HEAD + 2);
        let some = Aside::take(&mut Reader::new(&some)).unwrap();
        assert_eq!(some.bytes, b"he");
        assert_eq!(aside.encode(HEAD).len(), HEAD);
        assert!(aside.encode(HEAD - 1).is_empty());
        assert!(Aside::take(&mut Reader::new(&whole[..15])).is_err());
    }
}

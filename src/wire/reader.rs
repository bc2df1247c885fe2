//! A cursor over received bytes that cannot run past their end and knows where it stands.

use super::codec::Reject;

/// The bytes not read yet, and the datagram's offset of the first of them.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, offset: 0 }
    }

    /// The next `N` bytes; `what` names them if they are missing.
    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Reject> {
        let (array, rest) = self.bytes.split_first_chunk().ok_or(self.malformed(what))?;
        self.bytes = rest;
        self.offset = self.offset.saturating_add(N);
        Ok(*array)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, Reject> {
        self.array(what).map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, Reject> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, Reject> {
        self.array(what).map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, Reject> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// A reader of the next `length` bytes, which this one skips.
    pub(super) fn part(&mut self, length: usize, what: &'static str) -> Result<Reader<'a>, Reject> {
        let (bytes, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or(self.malformed(what))?;
        let part = Reader {
            bytes,
            offset: self.offset,
        };
        self.bytes = rest;
        self.offset = self.offset.saturating_add(length);
        Ok(part)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The datagram cannot be read here.
    pub(super) fn malformed(&self, what: &'static str) -> Reject {
        Reject::Malformed {
            offset: self.offset,
            what,
        }
    }
}

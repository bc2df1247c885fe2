//! A heartbeat as a datagram: one frame that is fixed for ever, then parts that may grow.
//!
//! Two nodes of any two versions must understand each other's tokens, or an upgrade would look like
//! death. So the frame never changes, whatever versions it announces, and a newer node says new
//! things in TLVs that an older one skips (`tlv`). Whether the versions, the cluster and the nodes
//! fit is for the core to judge: here a stranger with our key is a readable stranger.
//!
//! All numbers are big-endian.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------------------------------------------------------+   0
//! |                     magic: "HAhb"                             |
//! +---------------------------------------------------------------+   4
//! |                                                               |
//! +      MAC: HMAC-SHA-256 of everything but itself,              +
//! |           its first 16 bytes                                  |
//! +                                                               +
//! |                                                               |
//! +                                                               +
//! |                                                               |
//! +---------------+---------------+---------------+---------------+  20
//! |lowest version |highest version|. . . . F G S N| groups, n ≤ 20|
//! +---------------+---------------+---------------+---------------+  24
//! |                     interval, µs, not zero                    |
//! +---------------------------------------------------------------+  28
//! |                     hash of the cluster's name            u64 |
//! +---------------------------------------------------------------+  36
//! |                     hash of the node list                 u64 |
//! +---------------------------------------------------------------+  44
//! |                     incarnation, not zero                 u64 |
//! +---------------------------------------------------------------+  52
//! |                     sequence, not zero                    u64 |
//! +---------------------------------------------------------------+  60
//! |                     echo: incarnation                     u64 |
//! +---------------------------------------------------------------+  68
//! |                     echo: sequence                        u64 |
//! +---------------------------------------------------------------+  76
//! |    n times, 25 bytes each, no name twice:                     |
//! |                     hash of the group's name              u64 |
//! |                     epoch, below 2^62                     u64 |
//! |                     hash of its exclusive resources       u64 |
//! |   +---------------+                                           |
//! |   |. O P C H role |                                       u8  |
//! |   +---------------+                                           |
//! +---------------------------------------------------------------+  76 + 25 n
//! |    TLVs, each type at most once, to the end of the datagram:  |
//! |    type u8, length u16, as many bytes                         |
//! +---------------------------------------------------------------+  at most 1400
//!
//! N  the sender is the second node        H     the second node holds the token
//! S  solicit: answer at once              C     contested
//! G  goodbye                              P     proven stopped
//! F  fence me                             O     given by an operator's order
//! .  sent as 0, ignored when received     role  three bits: Stopped 0, Starting 1, Active 2,
//!                                               Stopping 3, Failed 4; others are malformed
//! ```

use super::aside::Aside;
use super::heartbeat::*;
use super::key::{Keyring, MAC_LEN};
use super::reader::Reader;
use super::tlv;
use crate::id::GroupId;
use std::fmt;
use std::time::Duration;

/// A signed datagram of at most [`MAX_DATAGRAM`] bytes.
///
/// What is beyond a limit is cut, not sent: groups after [`MAX_GROUPS`] and the like, an interval
/// above `u32::MAX` µs, and longer texts; of many wishes and listed resources some are left to a
/// later heartbeat (`tlv`).
pub fn encode(heartbeat: &Heartbeat, keys: &Keyring) -> Vec<u8> {
    encode_with(heartbeat, None, keys)
}

/// The same with what the shell says aside.
pub fn encode_with(heartbeat: &Heartbeat, aside: Option<&Aside<'_>>, keys: &Keyring) -> Vec<u8> {
    let mut body = Vec::with_capacity(MAX_DATAGRAM);
    let groups = heartbeat.groups.get(..MAX_GROUPS);
    let groups = groups.unwrap_or(&heartbeat.groups);
    put_frame(&mut body, heartbeat, groups);
    let limit = MAX_DATAGRAM - HEAD;
    tlv::put(&mut body, heartbeat, groups, limit, aside.is_some());
    if let Some(aside) = aside {
        tlv::put_aside(&mut body, aside);
    }

    let mac = keys.sign(&[&MAGIC, &body]);
    [&MAGIC, &mac[..], &body].concat()
}

/// The heartbeat in a datagram, if someone with one of our keys sent it.
///
/// The cheap questions come first: garbage of the wrong length or magic costs no hash.
pub fn decode(datagram: &[u8], keys: &Keyring) -> Result<Heartbeat, Reject> {
    decode_with(datagram, keys).map(|(heartbeat, _)| heartbeat)
}

/// The same, and what the sender's shell says aside.
pub fn decode_with<'a>(
    datagram: &'a [u8],
    keys: &Keyring,
) -> Result<(Heartbeat, Option<Aside<'a>>), Reject> {
    if datagram.len() > MAX_DATAGRAM {
        return Err(Reject::TooLong);
    }
    if datagram.len() < FRAME {
        return Err(Reject::TooShort);
    }
    let mut reader = Reader::new(datagram);
    if reader.array("magic")? != MAGIC {
        return Err(Reject::NotOurs);
    }
    let mac = reader.array("MAC")?;
    if !keys.verifies(&[&MAGIC, reader.rest()], &mac) {
        return Err(Reject::BadMac);
    }
    let mut heartbeat = take_frame(&mut reader)?;
    let aside = tlv::take(&mut reader, &mut heartbeat)?;
    Ok((heartbeat, aside))
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reject {
    /// Shorter than the frame without any group.
    TooShort,
    /// Longer than [`MAX_DATAGRAM`]; to notice it, receive into a buffer one byte larger.
    TooLong,
    /// Not this protocol: another magic.
    NotOurs,
    /// No key of ours made its MAC: another key, another's datagram, or a damaged one.
    BadMac,
    /// Signed by our key and yet not readable: a fault of the sender's program.
    Malformed {
        /// Where in the datagram reading failed.
        offset: usize,
        /// What should have stood there.
        what: &'static str,
    },
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reject::TooShort => write!(f, "too short to be a heartbeat"),
            Reject::TooLong => write!(f, "longer than {MAX_DATAGRAM} bytes"),
            Reject::NotOurs => write!(f, "not a heartbeat"),
            Reject::BadMac => write!(f, "signed with none of our keys"),
            Reject::Malformed { offset, what } => {
                write!(
                    f,
                    "signed with our key but malformed: {what} at byte {offset}"
                )
            }
        }
    }
}

impl std::error::Error for Reject {}

const MAGIC: [u8; 4] = *b"HAhb";
/// Magic and MAC.
pub(super) const HEAD: usize = MAGIC.len() + MAC_LEN;
/// The fixed frame without any group.
const FRAME: usize = 76;

const SENDER_IS_SECOND: u8 = 1 << 0;
const SOLICIT: u8 = 1 << 1;
const GOODBYE: u8 = 1 << 2;
const FENCE_ME: u8 = 1 << 3;

const ROLE: u8 = 0b111;
const HOLDER_IS_SECOND: u8 = 1 << 3;
const CONTESTED: u8 = 1 << 4;
const PROVEN_STOPPED: u8 = 1 << 5;
const ORDERED: u8 = 1 << 6;

fn put_frame(out: &mut Vec<u8>, heartbeat: &Heartbeat, groups: &[GroupReport]) {
    let flags = bit(heartbeat.node == Side::Second, SENDER_IS_SECOND)
        | bit(heartbeat.solicit, SOLICIT)
        | bit(heartbeat.goodbye, GOODBYE)
        | bit(heartbeat.fence_me, FENCE_ME);
    let interval = heartbeat.interval.as_micros().max(1);
    let interval = u32::try_from(interval).unwrap_or(u32::MAX);
    let count = u8::try_from(groups.len()).unwrap_or(u8::MAX);
    let Versions { lowest, highest } = heartbeat.versions;
    out.extend([lowest, highest, flags, count]);
    out.extend(interval.to_be_bytes());
    out.extend(heartbeat.cluster.to_be_bytes());
    out.extend(heartbeat.nodes.to_be_bytes());
    out.extend(heartbeat.incarnation.to_be_bytes());
    out.extend(heartbeat.sequence.to_be_bytes());
    out.extend(heartbeat.echo.incarnation.to_be_bytes());
    out.extend(heartbeat.echo.sequence.to_be_bytes());
    for group in groups {
        out.extend(group.id.0.to_be_bytes());
        out.extend(group.token.epoch.min(MAX_EPOCH).to_be_bytes());
        out.extend(group.list.to_be_bytes());
        out.push(
            group.role as u8
                | bit(group.token.holder == Side::Second, HOLDER_IS_SECOND)
                | bit(group.contested, CONTESTED)
                | bit(group.proven_stopped, PROVEN_STOPPED)
                | bit(group.ordered, ORDERED),
        );
    }
}

/// The frame after the MAC; what stands in TLVs has its default.
fn take_frame(reader: &mut Reader<'_>) -> Result<Heartbeat, Reject> {
    let at_versions = reader.clone();
    let versions = Versions {
        lowest: reader.u8("lowest version")?,
        highest: reader.u8("highest version")?,
    };
    if versions.lowest > versions.highest {
        return Err(at_versions.malformed("a version range with its lowest end first"));
    }
    let flags = reader.u8("flags")?;
    let at_count = reader.clone();
    let count = usize::from(reader.u8("number of groups")?);
    if count > MAX_GROUPS {
        return Err(at_count.malformed("a number of groups up to 20"));
    }
    let at_interval = reader.clone();
    let interval = Duration::from_micros(reader.u32("interval")?.into());
    if interval.is_zero() {
        return Err(at_interval.malformed("an interval above zero"));
    }
    let cluster = reader.u64("cluster")?;
    let nodes = reader.u64("nodes")?;
    let incarnation = not_zero(reader, "an incarnation above zero")?;
    let sequence = not_zero(reader, "a sequence above zero")?;
    let echo = Echo {
        incarnation: reader.u64("echoed incarnation")?,
        sequence: reader.u64("echoed sequence")?,
    };
    let mut groups: Vec<GroupReport> = Vec::with_capacity(count);
    for _ in 0..count {
        let at_group = reader.clone();
        let group = take_group(reader)?;
        if groups.iter().any(|other| other.id == group.id) {
            return Err(at_group.malformed("a group not named before"));
        }
        groups.push(group);
    }
    Ok(Heartbeat {
        versions,
        cluster,
        nodes,
        node: side(flags & SENDER_IS_SECOND != 0),
        incarnation,
        sequence,
        echo,
        heard_paths: 0,
        challenges: Vec::new(),
        interval,
        misses: FEWEST_MISSES,
        solicit: flags & SOLICIT != 0,
        goodbye: flags & GOODBYE != 0,
        fence_me: flags & FENCE_ME != 0,
        fencing: None,
        groups,
        listed: Vec::new(),
        wishes: Vec::new(),
        vifs: Vec::new(),
        request: None,
        answer: None,
        digest: 0,
        software: String::new(),
    })
}

fn take_group(reader: &mut Reader<'_>) -> Result<GroupReport, Reject> {
    let id = GroupId(reader.u64("group name")?);
    let at_epoch = reader.clone();
    let epoch = reader.u64("epoch")?;
    if epoch > MAX_EPOCH {
        return Err(at_epoch.malformed("an epoch below 2^62"));
    }
    let list = reader.u64("list of exclusive resources")?;
    let at_state = reader.clone();
    let state = reader.u8("group state")?;
    let role = match state & ROLE {
        0 => Role::Stopped,
        1 => Role::Starting,
        2 => Role::Active,
        3 => Role::Stopping,
        4 => Role::Failed,
        _ => return Err(at_state.malformed("a known role")),
    };
    Ok(GroupReport {
        id,
        token: Token {
            epoch,
            holder: side(state & HOLDER_IS_SECOND != 0),
        },
        list,
        contested: state & CONTESTED != 0,
        proven_stopped: state & PROVEN_STOPPED != 0,
        ordered: state & ORDERED != 0,
        role,
        readiness: tlv::DEFAULT_READINESS,
        fail_count: 0,
    })
}

fn not_zero(reader: &mut Reader<'_>, what: &'static str) -> Result<u64, Reject> {
    let at = reader.clone();
    match reader.u64(what)? {
        0 => Err(at.malformed(what)),
        number => Ok(number),
    }
}

fn side(second: bool) -> Side {
    if second { Side::Second } else { Side::First }
}

fn bit(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::super::ethernet::hex;
    use super::*;
    use crate::id::{ResourceId, VifId};
    use std::collections::BTreeSet;

    /// Computed from the diagram alone, by another program with another HMAC.
    const FIXTURE: &str = "
        4841 6862 54d3 d645 4990 84bb af4d e0c3 ff12 6c08
        0103 0302 0001 86a0 e7da 9365 a428 a646 87c4 0c96 afc4 1819
        1111 2222 3333 4444 0000 0000 0000 0007 5555 6666 7777 8888 0000 0000 0000 0009
        4b5e 57f6 eb2f 42b9 0000 0000 0000 0004 0000 0000 0000 1157 02
        3a6e b079 0f39 ac87 0000 0000 0000 0005 0000 0000 0000 1158 28
        01 0004 c000 8003
        02 0010 0000 0000 0000 00aa 0000 0000 0000 00bb
        05 0043 0200 0300 0000 0000 0000 e002 0000 0000 0a00 0000 0c00 0000 0bc0 0002 0100
            0000 0000 0000 e102 0000 0000 0c00 0000 0000 0000 0020 010d b800 0000 0000 0000
            0000 0000 01
        06 000d 0000 004d 014b 5e57 f6eb 2f42 b9
        08 0008 0000 0000 00d1 6e57
        09 0005 302e 312e 30
        07 000a 0000 004c 016d 6f76 6564
        04 0024 0001 0000 0002 020c 0000 0001 2107 0000 0003 0000 0004 4001 0000 0001 283b
            b9de ef02 e684
        0b 0012 0100 0000 0000 00aa aa01 0000 0000 0000 bbbb";

    fn fixture() -> Heartbeat {
        let web = GroupReport {
            id: GroupId::of("web"),
            token: Token {
                epoch: 4,
                holder: Side::First,
            },
            list: 0x1157,
            contested: false,
            proven_stopped: false,
            ordered: false,
            role: Role::Active,
            readiness: Readiness::Able,
            fail_count: 0,
        };
        let data = GroupReport {
            id: GroupId::of("data"),
            token: Token {
                epoch: 5,
                holder: Side::Second,
            },
            list: 0x1158,
            contested: false,
            proven_stopped: true,
            ordered: false,
            role: Role::Stopped,
            readiness: Readiness::Impaired,
            fail_count: 3,
        };
        let given = |tag, taken_back| Some(Given { tag, taken_back });
        let wish = |subject, given| Wish { subject, given };
        Heartbeat {
            versions: Versions {
                lowest: 1,
                highest: 3,
            },
            cluster: hash("edge-lb"),
            nodes: hash("lb1\nlb2"),
            node: Side::Second,
            incarnation: 0x1111_2222_3333_4444,
            sequence: 7,
            echo: Echo {
                incarnation: 0x5555_6666_7777_8888,
                sequence: 9,
            },
            heard_paths: 0,
            challenges: vec![Echo {
                incarnation: 0xaa,
                sequence: 0xbb,
            }],
            interval: Duration::from_millis(100),
            misses: FEWEST_MISSES,
            solicit: true,
            goodbye: false,
            fence_me: false,
            fencing: None,
            groups: vec![web, data],
            listed: vec![
                Listed {
                    group: GroupId::of("data"),
                    resource: ResourceId(0xaaaa),
                },
                Listed {
                    group: GroupId::of("data"),
                    resource: ResourceId(0xbbbb),
                },
            ],
            wishes: vec![
                wish(WishSubject::Maintenance, [given(2, false), None]),
                wish(WishSubject::Standby(Side::Second), [None, given(1, true)]),
                wish(
                    WishSubject::Stopped(GroupId::of("data")),
                    [given(3, true), given(4, false)],
                ),
                wish(
                    WishSubject::Stopped(GroupId::of("gone")),
                    [given(1, false), None],
                ),
            ],
            vifs: vec![
                VifReport {
                    id: VifId(0xe0),
                    mac: [2, 0, 0, 0, 0, 0x0a],
                    address: [192, 0, 2, 1].into(),
                    gateway: GatewayReport {
                        asked: 12,
                        answered: 11,
                        answers: Some(true),
                    },
                },
                VifReport {
                    id: VifId(0xe1),
                    mac: [2, 0, 0, 0, 0, 0x0c],
                    address: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
                    gateway: GatewayReport::default(),
                },
            ],
            request: Some(Request {
                number: 77,
                verb: RequestVerb::Failover,
                group: Some(GroupId::of("web")),
            }),
            answer: Some(Answer {
                number: 76,
                accepted: true,
                text: "moved".into(),
            }),
            digest: 0xd1_6e57,
            software: "0.1.0".into(),
        }
    }

    fn keys() -> Keyring {
        Keyring::new(vec![b"sixteen bytes ok".to_vec()]).unwrap()
    }

    /// The fixture, changed and signed again.
    fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Result<Heartbeat, Reject> {
        let mut datagram = hex(FIXTURE);
        change(&mut datagram);
        let mac = keys().sign(&[&MAGIC, &datagram[HEAD..]]);
        datagram[MAGIC.len()..HEAD].copy_from_slice(&mac);
        decode(&datagram, &keys())
    }

    fn malformed(offset: usize, what: &'static str) -> Result<Heartbeat, Reject> {
        Err(Reject::Malformed { offset, what })
    }

    #[test]
    fn the_frame_has_not_drifted() {
        assert_eq!(encode(&fixture(), &keys()), hex(FIXTURE));
        assert_eq!(decode(&hex(FIXTURE), &keys()), Ok(fixture()));
    }

    #[test]
    fn cheap_questions_come_first() {
        let whole = hex(FIXTURE);
        assert_eq!(decode(&[], &keys()), Err(Reject::TooShort));
        assert_eq!(decode(&whole[..FRAME - 1], &keys()), Err(Reject::TooShort));
        assert_eq!(decode(&[0; MAX_DATAGRAM], &keys()), Err(Reject::NotOurs));
        assert_eq!(
            decode(&[0; MAX_DATAGRAM + 1], &keys()),
            Err(Reject::TooLong)
        );
    }

    #[test]
    fn one_flipped_bit_anywhere_is_refused() {
        let whole = hex(FIXTURE);
        for bit in 0..whole.len() * 8 {
            let mut other = whole.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 32 {
                Reject::NotOurs
            } else {
                Reject::BadMac
            };
            assert_eq!(decode(&other, &keys()), Err(expected), "bit {bit}");
        }
    }

    #[test]
    fn keys_rotate_without_a_gap() {
        let ring =
            |keys: &[u8]| Keyring::new(keys.iter().map(|&key| vec![key; 16]).collect()).unwrap();
        let heard = |sender: &[u8], receiver: &[u8]| {
            decode(&encode(&fixture(), &ring(sender)), &ring(receiver)).is_ok()
        };
        let steps: [&[u8]; 4] = [b"o", b"on", b"no", b"n"];
        for (before, after) in steps.iter().zip(&steps[1..]) {
            assert!(
                heard(before, after) && heard(after, before),
                "{before:?} {after:?}"
            );
        }
        assert!(!heard(b"o", b"n"));
    }

    #[test]
    fn future_flags_and_versions_are_readable() {
        let heartbeat = changed(|bytes| {
            bytes[20..22].copy_from_slice(&[8, 9]);
            bytes[22] |= 0b1111_0000;
            bytes[100] |= 0b1000_0000;
        });
        let expected = Heartbeat {
            versions: Versions {
                lowest: 8,
                highest: 9,
            },
            ..fixture()
        };
        assert_eq!(heartbeat, Ok(expected));
    }

    #[test]
    fn nonsense_in_the_frame_is_malformed() {
        let range = "a version range with its lowest end first";
        assert_eq!(changed(|bytes| bytes[20] = 4), malformed(20, range));
        assert_eq!(
            changed(|bytes| bytes[23] = 33),
            malformed(23, "a number of groups up to 20")
        );
        assert_eq!(
            changed(|bytes| bytes[24..28].fill(0)),
            malformed(24, "an interval above zero")
        );
        assert_eq!(
            changed(|bytes| bytes[44..52].fill(0)),
            malformed(44, "an incarnation above zero")
        );
        assert_eq!(
            changed(|bytes| bytes[52..60].fill(0)),
            malformed(52, "a sequence above zero")
        );
        assert_eq!(
            changed(|bytes| bytes[100] = 5),
            malformed(100, "a known role")
        );
        assert_eq!(
            changed(|bytes| bytes[84] = 0x40),
            malformed(84, "an epoch below 2^62")
        );
        assert_eq!(
            changed(|bytes| bytes.copy_within(76..84, 101)),
            malformed(101, "a group not named before")
        );
        assert_eq!(
            changed(|bytes| bytes.truncate(108)),
            malformed(101, "group name")
        );
    }

    #[test]
    fn a_frame_without_tlvs_has_the_defaults() {
        let heartbeat = changed(|bytes| bytes.truncate(126)).unwrap();
        let mut expected = fixture();
        for group in &mut expected.groups {
            group.readiness = Readiness::Barred;
            group.fail_count = 0;
        }
        let expected = Heartbeat {
            challenges: vec![],
            listed: vec![],
            wishes: vec![],
            vifs: vec![],
            request: None,
            answer: None,
            digest: 0,
            software: String::new(),
            ..expected
        };
        assert_eq!(heartbeat, expected);
    }

    #[test]
    fn what_is_said_aside_leaves_the_heartbeat_as_it_is_and_has_its_own_limit() {
        let long = [b'x'; 5000];
        let aside = Aside {
            clock_ms: 1,
            taken: 2,
            place: 3,
            bytes: &long,
        };
        let datagram = encode_with(&fixture(), Some(&aside), &keys());
        assert_eq!(datagram.len(), 1200);
        assert_eq!(decode(&datagram, &keys()), Ok(fixture()));
        let keys = keys();
        let (heartbeat, heard) = decode_with(&datagram, &keys).unwrap();
        let heard = heard.unwrap();
        assert_eq!((heard.clock_ms, heard.taken, heard.place), (1, 2, 3));
        assert_eq!(heard.bytes.len(), 1200 - hex(FIXTURE).len() - 3 - 16);
        assert_eq!(heartbeat, fixture());
        let plain = encode(&fixture(), &keys);
        assert_eq!(decode_with(&plain, &keys), Ok((fixture(), None)));
    }

    #[test]
    fn files_that_differ_in_hundreds_of_resources_leave_room_for_what_is_said_aside() {
        let mut heartbeat = fixture();
        let group = heartbeat.groups[0].id;
        let listed = |n| Listed {
            group,
            resource: ResourceId(n),
        };
        heartbeat.listed = (0..400).map(listed).collect();
        let aside = Aside {
            bytes: &[b'x'; 5000],
            ..Aside::default()
        };
        let keys = keys();
        let mut said = BTreeSet::new();
        for sequence in 1..=40 {
            heartbeat.sequence = sequence;
            let datagram = encode_with(&heartbeat, Some(&aside), &keys);
            let (heard, beside) = decode_with(&datagram, &keys).unwrap();
            assert!(datagram.len() <= 1200 && beside.unwrap().bytes.len() >= 200);
            said.extend(heard.listed.iter().map(|entry| entry.resource));
        }
        assert_eq!(said.len(), 400);
        // Without an aside the page is as long as it ever was.
        assert!(encode(&heartbeat, &keys).len() > 1380);
    }

    #[test]
    fn unknown_tlvs_are_skipped_wherever_they_stand() {
        let unknown = [200, 0, 3, 1, 2, 3];
        let first = changed(|bytes| {
            bytes.splice(126..126, unknown);
        });
        assert_eq!(first, Ok(fixture()));
        assert_eq!(changed(|bytes| bytes.extend(unknown)), Ok(fixture()));
    }

    #[test]
    fn twice_the_same_tlv_is_malformed() {
        let twice = "a TLV type not seen before";
        assert_eq!(
            changed(|bytes| bytes.extend([8, 0, 0])),
            malformed(330, twice)
        );
        let unknown = [200, 0, 0, 200, 0, 0];
        assert_eq!(
            changed(|bytes| bytes.extend(unknown)),
            malformed(333, twice)
        );
    }

    #[test]
    fn truncated_tlvs_are_malformed() {
        let whole = "as many bytes as the TLV's length says";
        assert_eq!(changed(|bytes| bytes.truncate(329)), malformed(312, whole));
        assert_eq!(
            changed(|bytes| bytes.push(200)),
            malformed(331, "TLV length")
        );
    }

    #[test]
    fn people_can_read_why() {
        let why = Reject::Malformed {
            offset: 20,
            what: "a known role",
        };
        let text = "signed with our key but malformed: a known role at byte 20";
        assert_eq!(why.to_string(), text);
    }
}

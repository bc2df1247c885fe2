//! The part of a heartbeat that may grow: TLVs (type u8, length u16 big-endian, as many bytes).
//!
//! A type that a node does not know is skipped, and one that is missing has a default, so each may
//! come and go between versions. A type stands at most once. What has a fixed size may grow at its
//! end: bytes after the known ones are ignored. A value that is not known, in an entry of known
//! size, drops that entry only: a newer node sent it.
//!
//! ```text
//! type           value                                                   default
//!  1 standing    per group, in the frame's order: u16,                   Barred, 0
//!                bits 15-14 readiness, 13-0 fail count
//!  2 challenges  up to 4 times: incarnation u64, sequence u64            none
//!  4 wishes      up to 23 times: head u8, given u8, a tag u32 for each   none
//!                side at which it was given, [name u64]
//!                head: bit 6 a name follows, bits 5-0 subject:
//!                without a name  0 maintenance, 1 standby first node,
//!                                2 standby second node,
//!                                32-51 the frame's group 0-19 stopped
//!                with a name     0 the group so named stopped
//!                given: at the first node bit 0, taken back bit 1;
//!                at the second node bit 2, taken back bit 3
//!  5 vifs        families u8: bit i is 1 if entry i is IPv6; gateways    none
//!                u16: bits 2i+1 and 2i of entry i: 0 not known,
//!                2 none answers, 3 one answers;
//!                up to 8 times: id u64, MAC 6 bytes, of its gateways
//!                asked u32 and answered u32, address 4 or 16 bytes
//!  6 request     number u32, verb u8, group u64 (0: all)                 none
//!  7 answer      number u32, accepted u8 (0 or 1), text                  none
//!  8 digest      u64                                                     0
//!  9 software    text                                                    empty
//! 10 heard paths bits u8                                                 none
//! 11 listed      any number of times: place of the group in the frame    none
//!                u8, resource u64
//! 12 misses      u16, what is less than 3 means 3                        3
//! 13 fencing     u32: bit 31 the last contact is fresh, bits 30-0        none
//!                the delay in milliseconds
//! 64 aside       sender's clock u64, taken u32, place u32, bytes         none
//! ```
//!
//! **Room.** With everything at its limit a heartbeat has 1400 bytes, its longest. That is why a fail count has
//! fourteen bits (a larger one is said as 16383) and why a wish names a reported group by its place. Only
//! wishes about stopped groups and listed resources can be more than the rest leaves room for: then each heartbeat
//! says some of them, by its sequence, and each is said in the end. The aside has what is left below
//! [`ROOM_WITH_ASIDE`], and listed resources leave it [`ASIDE_LEAST`] of that: files that differ in hundreds of them
//! are what it has most to tell of.

use super::aside::Aside;
use super::codec::{HEAD, Reject};
use super::heartbeat::*;
use super::reader::Reader;
use crate::id::{GroupId, ResourceId, VifId};
use std::mem;
use std::net::IpAddr;
use std::time::Duration;

/// Appends what differs from its default; `limit` is how long `out` may become. With an aside there is room left
/// for one.
pub(super) fn put(
    out: &mut Vec<u8>,
    heartbeat: &Heartbeat,
    groups: &[GroupReport],
    limit: usize,
    with_aside: bool,
) {
    put_tlv(out, MISSES, &misses(heartbeat.misses));
    put_tlv(out, STANDING, &standing(groups));
    put_tlv(out, CHALLENGES, &challenges(&heartbeat.challenges));
    put_tlv(out, HEARD_PATHS, &heard_paths(heartbeat.heard_paths));
    put_tlv(out, VIFS, &vifs(&heartbeat.vifs));
    put_tlv(out, FENCING, &fencing(heartbeat.fencing));
    put_tlv(out, REQUEST, &request(heartbeat.request));
    put_tlv(out, DIGEST, &digest(heartbeat.digest));
    put_tlv(
        out,
        SOFTWARE,
        clip(&heartbeat.software, MAX_SOFTWARE).as_bytes(),
    );

    put_tlv(out, ANSWER_TYPE, &answer(heartbeat.answer.as_ref()));

    // Last what can wait for a later heartbeat.
    let turn = heartbeat.sequence;
    let listed = listed(&heartbeat.listed, groups);
    let kept_free = match listed.len().min(LISTED_LEAST) {
        0 => 0,
        entries => HEADER + entries * LISTED_ENTRY,
    };
    let room = limit.saturating_sub(out.len() + HEADER + kept_free);
    put_tlv(out, WISHES, &wishes(&heartbeat.wishes, groups, room, turn));
    let below = match with_aside {
        true => limit.min(ROOM_WITH_ASIDE - HEAD - HEADER - ASIDE_LEAST),
        false => limit,
    };
    let room = below.saturating_sub(out.len() + HEADER);
    let room = room.max(kept_free.saturating_sub(HEADER));
    let pages = turn.wrapping_mul((room / LISTED_ENTRY) as u64);
    put_tlv(out, LISTED, &said_in_turn(&listed, 0, room, pages));
}

/// Appends what is said aside, as much of it as there is room for.
pub(super) fn put_aside(out: &mut Vec<u8>, aside: &Aside<'_>) {
    let room = (ROOM_WITH_ASIDE - HEAD).saturating_sub(out.len() + HEADER);
    put_tlv(out, ASIDE, &aside.encode(room));
}

/// Fills in what the TLVs say, to the end of the datagram; gives what is said aside.
pub(super) fn take<'a>(
    reader: &mut Reader<'a>,
    heartbeat: &mut Heartbeat,
) -> Result<Option<Aside<'a>>, Reject> {
    let mut seen = [false; 256];
    let mut aside = None;
    while !reader.is_empty() {
        let at_tlv = reader.clone();
        let kind = reader.u8("TLV type")?;
        let length = reader.u16("TLV length")?;
        let mut value = reader.part(length.into(), "as many bytes as the TLV's length says")?;
        if mem::replace(&mut seen[usize::from(kind)], true) {
            return Err(at_tlv.malformed("a TLV type not seen before"));
        }
        match kind {
            MISSES => heartbeat.misses = FEWEST_MISSES.max(value.u16("misses")?.into()),
            STANDING => take_standing(&mut value, &mut heartbeat.groups)?,
            CHALLENGES => heartbeat.challenges = take_challenges(&mut value)?,
            HEARD_PATHS => heartbeat.heard_paths = value.u8("heard paths")?,
            LISTED => heartbeat.listed = take_listed(&mut value, &heartbeat.groups)?,
            WISHES => heartbeat.wishes = take_wishes(&mut value, &heartbeat.groups)?,
            VIFS => heartbeat.vifs = take_vifs(&mut value)?,
            REQUEST => heartbeat.request = take_request(&mut value)?,
            ANSWER_TYPE => heartbeat.answer = take_answer(&mut value)?,
            DIGEST => heartbeat.digest = value.u64("digest")?,
            SOFTWARE => heartbeat.software = take_text(&value, MAX_SOFTWARE)?,
            FENCING => heartbeat.fencing = Some(take_fencing(&mut value)?),
            ASIDE => aside = Some(Aside::take(&mut value)?),
            _ => {}
        }
    }
    Ok(aside)
}

/// What a group's readiness is if its sender does not say: nothing is moved to where nobody said
/// that it could run.
pub(super) const DEFAULT_READINESS: Readiness = Readiness::Barred;

const STANDING: u8 = 1;
const CHALLENGES: u8 = 2;
const WISHES: u8 = 4;
const VIFS: u8 = 5;
const REQUEST: u8 = 6;
const ANSWER_TYPE: u8 = 7;
const DIGEST: u8 = 8;
const SOFTWARE: u8 = 9;
const HEARD_PATHS: u8 = 10;
const LISTED: u8 = 11;
const MISSES: u8 = 12;
const FENCING: u8 = 13;
const ASIDE: u8 = 64;

/// How long a datagram may become by what is said aside: an interlink over a tunnel or a VLAN of a cloud must
/// still pass it whole.
const ROOM_WITH_ASIDE: usize = 1200;

/// So much of that is left to it: its numbers, and enough that what waits is told in seconds.
const ASIDE_LEAST: usize = 256;

/// Bytes of a TLV before its value.
const HEADER: usize = 3;
/// Bytes of a listed resource, and for how many there is room whatever is wished.
const LISTED_ENTRY: usize = 9;
const LISTED_LEAST: usize = 6;
/// Maintenance, standby of either node, and each group stopped.
const MAX_WISHES: usize = 3 + MAX_GROUPS;
/// Longest program version, in bytes.
const MAX_SOFTWARE: usize = 32;
const MAX_FAIL_COUNT: u16 = (1 << 14) - 1;

const GIVEN: [u8; 2] = [1 << 0, 1 << 2];
const TAKEN_BACK: [u8; 2] = [1 << 1, 1 << 3];
const NAMED: u8 = 1 << 6;
const FRESH: u32 = 1 << 31;
const MAINTENANCE: u8 = 0;
const STANDBY_FIRST: u8 = 1;
const STANDBY_SECOND: u8 = 2;
const STOPPED_AT: u8 = 32;

/// An empty value is the default of every type, and is not sent.
fn put_tlv(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    if let (false, Ok(length)) = (value.is_empty(), u16::try_from(value.len())) {
        out.push(kind);
        out.extend(length.to_be_bytes());
        out.extend(value);
    }
}

fn misses(misses: u32) -> Vec<u8> {
    match misses <= FEWEST_MISSES {
        true => Vec::new(),
        false => u16::try_from(misses)
            .unwrap_or(u16::MAX)
            .to_be_bytes()
            .into(),
    }
}

fn standing(groups: &[GroupReport]) -> Vec<u8> {
    let one = |group: &GroupReport| {
        let standing = (group.readiness as u16) << 14 | group.fail_count.min(MAX_FAIL_COUNT);
        standing.to_be_bytes()
    };
    groups.iter().flat_map(one).collect()
}

fn take_standing(value: &mut Reader<'_>, groups: &mut [GroupReport]) -> Result<(), Reject> {
    for group in groups {
        let standing = value.u16("standing of every group")?;
        group.readiness = match standing >> 14 {
            0 => Readiness::Barred,
            1 => Readiness::Unable,
            2 => Readiness::Impaired,
            _ => Readiness::Able,
        };
        group.fail_count = standing & MAX_FAIL_COUNT;
    }
    Ok(())
}

fn fencing(report: Option<FencingReport>) -> Vec<u8> {
    let value = |report: FencingReport| {
        let delay = u32::try_from(report.delay.as_millis()).unwrap_or(u32::MAX);
        let fresh = if report.fresh { FRESH } else { 0 };
        (delay.min(FRESH - 1) | fresh).to_be_bytes().to_vec()
    };
    report.map(value).unwrap_or_default()
}

fn take_fencing(value: &mut Reader<'_>) -> Result<FencingReport, Reject> {
    let said = value.u32("fencing")?;
    Ok(FencingReport {
        delay: Duration::from_millis((said & (FRESH - 1)).into()),
        fresh: said & FRESH != 0,
    })
}

fn challenges(challenges: &[Echo]) -> Vec<u8> {
    let one = |echo: &Echo| [echo.incarnation.to_be_bytes(), echo.sequence.to_be_bytes()];
    let challenges = challenges.iter().take(MAX_CHALLENGES);
    challenges.flat_map(one).flatten().collect()
}

fn take_challenges(value: &mut Reader<'_>) -> Result<Vec<Echo>, Reject> {
    let mut challenges = Vec::new();
    while !value.is_empty() {
        let challenge = Echo {
            incarnation: value.u64("challenged incarnation")?,
            sequence: value.u64("challenged sequence")?,
        };
        if challenges.len() < MAX_CHALLENGES {
            challenges.push(challenge);
        }
    }
    Ok(challenges)
}

fn wishes(wishes: &[Wish], groups: &[GroupReport], room: usize, turn: u64) -> Vec<u8> {
    let wishes = wishes.get(..MAX_WISHES).unwrap_or(wishes);
    let all: Vec<Vec<u8>> = wishes.iter().map(|w| wish(w, groups)).collect();
    let lasting = |w: &&Wish| !matches!(w.subject, WishSubject::Stopped(_));
    let always = wishes.iter().take_while(lasting).count();
    said_in_turn(&all, always, room, turn)
}

fn wish(wish: &Wish, groups: &[GroupReport]) -> Vec<u8> {
    let (head, name) = wish_subject(wish.subject, groups);
    let mut value = vec![head, 0];
    for (side, given) in wish.given.iter().enumerate() {
        let Some(given) = given else { continue };
        let taken_back = if given.taken_back {
            TAKEN_BACK[side]
        } else {
            0
        };
        value[1] |= GIVEN[side] | taken_back;
        value.extend(given.tag.to_be_bytes());
    }
    value.extend(name.into_iter().flat_map(|id| id.0.to_be_bytes()));
    value
}

/// Those entries for which there is room, in their order: the first `always` whatever the turn, and of the
/// others those that follow each other from another one on at each turn, so that each is said in the end.
fn said_in_turn(all: &[Vec<u8>], always: usize, mut room: usize, turn: u64) -> Vec<u8> {
    let others = all.len() - always;
    let first = turn.checked_rem(others as u64).unwrap_or(0) as usize;
    let order = (0..always).chain((0..others).map(|at| always + (first + at) % others));
    let mut said = vec![false; all.len()];
    for at in order {
        match room.checked_sub(all[at].len()) {
            Some(left) => room = left,
            None => break,
        }
        said[at] = true;
    }
    let said = all.iter().zip(said).filter(|(_, said)| *said);
    said.flat_map(|(entry, _)| entry.iter().copied()).collect()
}

/// The head of a wish, and the name that follows, if the group is not reported.
fn wish_subject(subject: WishSubject, groups: &[GroupReport]) -> (u8, Option<GroupId>) {
    match subject {
        WishSubject::Maintenance => (MAINTENANCE, None),
        WishSubject::Standby(Side::First) => (STANDBY_FIRST, None),
        WishSubject::Standby(Side::Second) => (STANDBY_SECOND, None),
        WishSubject::Stopped(id) => {
            let mut places = (STOPPED_AT..).zip(groups);
            match places.find(|(_, group)| group.id == id) {
                Some((place, _)) => (place, None),
                None => (NAMED, Some(id)),
            }
        }
    }
}

fn take_wishes(value: &mut Reader<'_>, groups: &[GroupReport]) -> Result<Vec<Wish>, Reject> {
    let mut wishes = Vec::new();
    while !value.is_empty() {
        let head = value.u8("wish")?;
        let given = take_given(value)?;
        let name = match head & NAMED {
            0 => None,
            _ => Some(GroupId(value.u64("name in a wish")?)),
        };
        let subject = match (head & !NAMED, name) {
            (MAINTENANCE, None) => WishSubject::Maintenance,
            (STANDBY_FIRST, None) => WishSubject::Standby(Side::First),
            (STANDBY_SECOND, None) => WishSubject::Standby(Side::Second),
            (0, Some(name)) => WishSubject::Stopped(name),
            (place @ STOPPED_AT.., None) => match groups.get(usize::from(place - STOPPED_AT)) {
                Some(group) => WishSubject::Stopped(group.id),
                None => continue,
            },
            _ => continue,
        };
        if wishes.len() < MAX_WISHES {
            wishes.push(Wish { subject, given });
        }
    }
    Ok(wishes)
}

fn take_given(value: &mut Reader<'_>) -> Result<[Option<Given>; 2], Reject> {
    let bits = value.u8("where a wish was given")?;
    let mut given = [None; 2];
    for (side, given) in given.iter_mut().enumerate() {
        if bits & GIVEN[side] != 0 {
            *given = Some(Given {
                tag: value.u32("tag of a wish")?,
                taken_back: bits & TAKEN_BACK[side] != 0,
            });
        }
    }
    Ok(given)
}

fn listed(listed: &[Listed], groups: &[GroupReport]) -> Vec<Vec<u8>> {
    let one = |entry: &Listed| {
        let place = groups.iter().position(|group| group.id == entry.group)?;
        let mut value = vec![u8::try_from(place).ok()?];
        value.extend(entry.resource.0.to_be_bytes());
        Some(value)
    };
    listed.iter().filter_map(one).collect()
}

fn take_listed(value: &mut Reader<'_>, groups: &[GroupReport]) -> Result<Vec<Listed>, Reject> {
    let mut listed = Vec::new();
    while !value.is_empty() {
        let place = value.u8("group of a listed resource")?;
        let resource = ResourceId(value.u64("listed resource")?);
        if let Some(group) = groups.get(usize::from(place)) {
            listed.push(Listed {
                group: group.id,
                resource,
            });
        }
    }
    Ok(listed)
}

fn vifs(vifs: &[VifReport]) -> Vec<u8> {
    let vifs = vifs.get(..MAX_VIFS).unwrap_or(vifs);
    if vifs.is_empty() {
        return Vec::new();
    }
    let places = || vifs.iter().zip(0..);
    let families = places().fold(0, |families, (vif, place)| {
        families | u8::from(vif.address.is_ipv6()) << place
    });
    let gateways = places().fold(0, |gateways, (vif, place)| {
        let bits = vif.gateway.answers.map_or(0, |it| 2 | u16::from(it));
        gateways | bits << (2 * place)
    });
    let mut value = vec![families];
    value.extend(gateways.to_be_bytes());
    for vif in vifs {
        value.extend(vif.id.0.to_be_bytes());
        value.extend(vif.mac);
        value.extend(vif.gateway.asked.to_be_bytes());
        value.extend(vif.gateway.answered.to_be_bytes());
        match vif.address {
            IpAddr::V4(address) => value.extend(address.octets()),
            IpAddr::V6(address) => value.extend(address.octets()),
        }
    }
    value
}

fn take_vifs(value: &mut Reader<'_>) -> Result<Vec<VifReport>, Reject> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    let families = value.u8("families of the VIP interfaces")?;
    let gateways = value.u16("what gateways answer")?;
    let mut vifs = Vec::new();
    // Where the bits end, the entries of a newer node would begin.
    for place in 0..MAX_VIFS {
        if value.is_empty() {
            break;
        }
        let id = VifId(value.u64("id of a VIP interface")?);
        let mac = value.array("MAC of a VIP interface")?;
        let answers = gateways >> (2 * place);
        let gateway = GatewayReport {
            asked: value.u32("gateway question")?,
            answered: value.u32("gateway answer")?,
            answers: (answers & 2 != 0).then_some(answers & 1 != 0),
        };
        let address = match families >> place & 1 {
            0 => IpAddr::from(value.array::<4>("IPv4 address of a VIP interface")?),
            _ => IpAddr::from(value.array::<16>("IPv6 address of a VIP interface")?),
        };
        vifs.push(VifReport {
            id,
            mac,
            address,
            gateway,
        });
    }
    Ok(vifs)
}

fn request(request: Option<Request>) -> Vec<u8> {
    let Some(request) = request else {
        return Vec::new();
    };
    let mut value = request.number.to_be_bytes().to_vec();
    value.push(request.verb as u8);
    value.extend(request.group.map_or(0, |id| id.0).to_be_bytes());
    value
}

fn take_request(value: &mut Reader<'_>) -> Result<Option<Request>, Reject> {
    let number = value.u32("number of a request")?;
    let verb = value.u8("verb of a request")?;
    let group = value.u64("group of a request")?;
    let group = (group != 0).then_some(GroupId(group));
    let verb = match verb {
        1 => RequestVerb::Failover,
        2 => RequestVerb::Clear,
        _ => return Ok(None),
    };
    Ok(Some(Request {
        number,
        verb,
        group,
    }))
}

fn answer(answer: Option<&Answer>) -> Vec<u8> {
    let Some(answer) = answer else {
        return Vec::new();
    };
    let mut value = answer.number.to_be_bytes().to_vec();
    value.push(answer.accepted.into());
    value.extend(clip(&answer.text, MAX_TEXT).as_bytes());
    value
}

fn take_answer(value: &mut Reader<'_>) -> Result<Option<Answer>, Reject> {
    let number = value.u32("number of an answer")?;
    let accepted = match value.u8("verdict of an answer")? {
        0 => false,
        1 => true,
        _ => return Ok(None),
    };
    let text = take_text(value, MAX_TEXT)?;
    Ok(Some(Answer {
        number,
        accepted,
        text,
    }))
}

fn heard_paths(bits: u8) -> Vec<u8> {
    if bits == 0 { Vec::new() } else { vec![bits] }
}

fn digest(digest: u64) -> Vec<u8> {
    match digest {
        0 => Vec::new(),
        digest => digest.to_be_bytes().to_vec(),
    }
}

fn take_text(value: &Reader<'_>, longest: usize) -> Result<String, Reject> {
    let text = std::str::from_utf8(value.rest()).map_err(|_| value.malformed("text in UTF-8"))?;
    Ok(clip(text, longest).to_owned())
}

/// The longest start of `text` that has at most `longest` bytes and ends with a whole character.
fn clip(text: &str, longest: usize) -> &str {
    (0..=longest.min(text.len()))
        .rev()
        .find_map(|end| text.get(..end))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: u64) -> GroupReport {
        GroupReport {
            id: GroupId(id),
            token: Token {
                epoch: 0,
                holder: Side::First,
            },
            list: 0,
            contested: false,
            proven_stopped: false,
            ordered: false,
            role: Role::Stopped,
            readiness: DEFAULT_READINESS,
            fail_count: 0,
        }
    }

    #[test]
    fn each_group_has_its_readiness_and_fail_count() {
        let mut groups = [1, 2, 3, 4].map(group);
        let standing = [0x00, 9, 0x40, 9, 0x80, 9, 0xc0, 9];
        take_standing(&mut Reader::new(&standing), &mut groups).unwrap();
        let readiness = [
            Readiness::Barred,
            Readiness::Unable,
            Readiness::Impaired,
            Readiness::Able,
        ];
        assert_eq!(groups.map(|g| g.readiness), readiness);
        assert_eq!(groups.map(|g| g.fail_count), [9; 4]);
    }

    #[test]
    fn a_fail_count_beyond_its_bits_stays_the_highest() {
        let many = GroupReport {
            fail_count: u16::MAX,
            readiness: Readiness::Impaired,
            ..group(1)
        };
        assert_eq!(standing(&[many]), [0xbf, 0xff]);
    }

    #[test]
    fn standing_covers_every_group() {
        let mut groups = vec![group(1), group(2)];
        assert!(take_standing(&mut Reader::new(&[0x80, 9]), &mut groups).is_err());
    }

    fn wish_of(subject: WishSubject, tag: u32) -> Wish {
        let taken_back = false;
        Wish {
            subject,
            given: [Some(Given { tag, taken_back }), None],
        }
    }

    #[test]
    fn unknown_wishes_are_skipped_and_known_ones_kept() {
        let value = [
            &[0x03, 1, 0, 0, 0, 1][..],                     // an unknown subject
            &[0x41, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8], // one with a name
            &[0x21, 1, 0, 0, 0, 1],                         // the second group of one
            &[0x01, 1, 0, 0, 0, 7],
        ]
        .concat();
        let expected = wish_of(WishSubject::Standby(Side::First), 7);
        let wishes = take_wishes(&mut Reader::new(&value), &[group(1)]);
        assert_eq!(wishes, Ok(vec![expected]));
    }

    #[test]
    fn wishes_without_room_are_said_in_their_turn() {
        let all = [
            wish_of(WishSubject::Maintenance, 1),
            wish_of(WishSubject::Stopped(GroupId(1)), 2),
            wish_of(WishSubject::Stopped(GroupId(8)), 3),
            wish_of(WishSubject::Stopped(GroupId(9)), 4),
        ];
        let groups = [group(1)];
        let said = |room, turn| {
            let value = wishes(&all, &groups, room, turn);
            assert!(value.len() <= room);
            take_wishes(&mut Reader::new(&value), &groups).unwrap()
        };
        assert_eq!(said(40, 5), all);
        assert_eq!(said(39, 0), [all[0], all[1], all[2]]);
        assert_eq!(said(39, 1), [all[0], all[2], all[3]]);
        assert_eq!(said(39, 2), [all[0], all[1], all[3]]);
        assert_eq!(said(6, 2), [all[0]]);
    }

    #[test]
    fn listed_resources_without_room_are_said_in_their_turn() {
        let entry = |n| Listed {
            group: GroupId(1),
            resource: ResourceId(n),
        };
        let all: Vec<Listed> = (0..5).map(entry).collect();
        let groups = [group(7), group(1)];
        let value = listed(&all, &groups);
        let said = |turn: u64| {
            let value = said_in_turn(&value, 0, 20, 2 * turn);
            take_listed(&mut Reader::new(&value), &groups).unwrap()
        };
        assert_eq!(said(0), [all[0], all[1]]);
        assert_eq!(said(1), [all[2], all[3]]);
        assert_eq!(said(2), [all[0], all[4]]);
        assert!(listed(&all, &groups[..1]).is_empty());
        let value = [&value[0][..], &[2, 0, 0, 0, 0, 0, 0, 0, 1]].concat();
        let heard = take_listed(&mut Reader::new(&value), &groups);
        assert_eq!(heard, Ok(vec![all[0]]));
    }

    #[test]
    fn unknown_verbs_and_verdicts_drop_their_entry() {
        let request = [0, 0, 0, 1, 99, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(take_request(&mut Reader::new(&request)), Ok(None));
        assert_eq!(take_answer(&mut Reader::new(&[0, 0, 0, 1, 2])), Ok(None));
    }

    #[test]
    fn what_a_newer_node_appends_is_ignored() {
        let vif = [[0].as_slice(), &[7; 22], &[192, 0, 2, 1]].concat();
        let nine = [&vif[..1], &vif[1..].repeat(9)].concat();
        let vifs = take_vifs(&mut Reader::new(&nine)).unwrap();
        assert_eq!(vifs.len(), MAX_VIFS);
        let five = take_challenges(&mut Reader::new(&[1; 5 * 16])).unwrap();
        assert_eq!(five.len(), MAX_CHALLENGES);
    }

    #[test]
    fn texts_end_with_a_whole_character() {
        assert_eq!(clip("añb", 3), "añ");
        assert_eq!(clip("añb", 2), "a");
        assert_eq!(clip("añb", 0), "");
        assert_eq!(clip("añb", 9), "añb");
        assert!(take_text(&Reader::new(&[0xff]), 9).is_err());
    }
}

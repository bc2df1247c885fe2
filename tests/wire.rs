//! The wire as its users see it: what is said is heard, nothing is ever too long, and no bytes from
//! outside do any harm.

use ha_appliance::id::{GroupId, ResourceId, VifId};
use ha_appliance::wire::heartbeat::*;
use ha_appliance::wire::{Keyring, Reject, arp, decode, encode, icmp, ndp};
use hmac::{Hmac, KeyInit, Mac};
use proptest::collection::{hash_set, vec};
use proptest::prelude::*;
use sha2::Sha256;
use std::net::IpAddr;
use std::time::Duration;

proptest! {
    #[test]
    fn what_is_said_is_heard(mut heartbeat in heartbeat(known_wishes)) {
        heartbeat.listed.truncate(6);
        let datagram = encode(&heartbeat, &keys());
        prop_assert!(datagram.len() <= MAX_DATAGRAM);
        prop_assert_eq!(decode(&datagram, &keys()), Ok(heartbeat));
    }

    /// Wishes about stopped groups and listed resources may be left to a later heartbeat, in which they
    /// are said; nothing else is lost.
    #[test]
    fn what_gives_way_is_known(mut heartbeat in heartbeat(any_wishes)) {
        let mut missing = heartbeat.wishes.clone();
        let mut unlisted = heartbeat.listed.clone();
        heartbeat.sequence = heartbeat.sequence.min(u64::MAX - 100);
        for _ in 0..=heartbeat.wishes.len().max(heartbeat.listed.len()) {
            heartbeat.sequence += 1;
            let datagram = encode(&heartbeat, &keys());
            prop_assert!(datagram.len() <= MAX_DATAGRAM);
            let mut heard = decode(&datagram, &keys()).unwrap();
            let mut sent = heartbeat.wishes.iter();
            prop_assert!(heard.wishes.iter().all(|wish| sent.any(|other| other == wish)));
            missing.retain(|wish| !heard.wishes.contains(wish));
            let lasting = |wish: &&Wish| !matches!(wish.subject, WishSubject::Stopped(_));
            let lasting = heartbeat.wishes.iter().take_while(lasting);
            prop_assert!(lasting.clone().all(|wish| heard.wishes.contains(wish)));
            unlisted.retain(|entry| !heard.listed.contains(entry));
            heard.wishes = heartbeat.wishes.clone();
            heard.listed = heartbeat.listed.clone();
            prop_assert_eq!(&heard, &heartbeat);
        }
        prop_assert_eq!((missing, unlisted), (vec![], vec![]));
    }

    #[test]
    fn strangers_bytes_are_refused(bytes in vec(any::<u8>(), 0..1500)) {
        prop_assert!(decode(&bytes, &keys()).is_err());
    }

    #[test]
    fn signed_noise_does_no_harm(body in vec(any::<u8>(), 0..1400)) {
        let _ = decode(&signed(&body), &keys());
    }

    #[test]
    fn signed_and_mutated_datagrams_do_no_harm(
        heartbeat in heartbeat(any_wishes),
        mutations in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        tail in vec(any::<u8>(), 0..40),
    ) {
        let mut body = encode(&heartbeat, &keys()).split_off(HEAD);
        for (place, byte) in mutations {
            let place = place.index(body.len());
            body[place] = byte;
        }
        heard_again(&decode(&signed(&body), &keys()));
        body.truncate(cut.index(body.len()));
        heard_again(&decode(&signed(&body), &keys()));
        body.extend(tail);
        heard_again(&decode(&signed(&body), &keys()));
    }

    #[test]
    fn truncated_datagrams_are_refused(heartbeat in heartbeat(any_wishes), cut in any::<prop::sample::Index>()) {
        let datagram = encode(&heartbeat, &keys());
        let cut = cut.index(datagram.len());
        prop_assert!(decode(&datagram[..cut], &keys()).is_err());
        // Signed again, what is left either ends between two TLVs or says where it ends.
        match decode(&signed(&datagram[HEAD.min(cut)..cut]), &keys()) {
            Ok(_) | Err(Reject::TooShort) => {}
            Err(Reject::Malformed { offset, .. }) => prop_assert!(offset <= cut),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn a_flipped_bit_is_refused(heartbeat in heartbeat(any_wishes), bit in any::<prop::sample::Index>()) {
        let mut datagram = encode(&heartbeat, &keys());
        let bit = bit.index(datagram.len() * 8);
        datagram[bit / 8] ^= 1 << (bit % 8);
        let refused = decode(&datagram, &keys());
        prop_assert!(matches!(refused, Err(Reject::NotOurs | Reject::BadMac)));
    }

    #[test]
    fn no_frame_does_harm(
        mut frame in vec(any::<u8>(), 0..200),
        header in prop::sample::select(vec![&[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0][..], &[0x86, 0xdd, 0x60]]),
    ) {
        let _ = (arp::parse(&frame), ndp::parse(&frame));
        let _ = (icmp::Echo::parse_v4_packet(&frame), icmp::Echo::parse_v6(&frame));
        if let Some(place) = frame.get_mut(12..12 + header.len()) {
            place.copy_from_slice(header);
        }
        let _ = (arp::parse(&frame), ndp::parse(&frame));
    }

    #[test]
    fn no_ndp_options_do_harm(options in vec(any::<u8>(), 0..600), own in any::<[u8; 6]>(), ip in any::<u128>()) {
        let message = [ndp::advertisement_message(ip.into(), own, false), options].concat();
        let mut frame = ndp::announcement(own, ip.into(), false);
        frame.splice(54.., message);
        let length = (frame.len() - 54) as u16;
        frame[18..20].copy_from_slice(&length.to_be_bytes());
        frame[56..58].fill(0);
        let sum = pnet_packet::util::ipv6_checksum(
            &frame[54..],
            1,
            &[],
            &ip.into(),
            &ndp::ALL_NODES,
            pnet_packet::ip::IpNextHeaderProtocols::Icmpv6,
        );
        frame[56..58].copy_from_slice(&sum.to_be_bytes());
        if let Some(heard) = ndp::parse(&frame) {
            prop_assert_eq!(heard.mac, own);
        }
    }
}

/// With everything at its limit; the exact length without what can wait, so that whoever adds to it sees the
/// room shrink.
#[test]
fn the_longest_heartbeat_fits() {
    let longest = longest();
    let heard = decode(&encode(&longest, &keys()), &keys()).unwrap();
    assert_eq!((heard.wishes.len(), heard.listed.len()), (14, 6));
    let without = |heartbeat| Heartbeat {
        wishes: vec![],
        listed: vec![],
        ..heartbeat
    };
    assert_eq!(without(heard), without(longest.clone()));
    assert_eq!(encode(&without(longest), &keys()).len(), 1195);
}

#[test]
fn what_is_beyond_the_limits_is_cut() {
    let mut beyond = longest();
    beyond.groups.extend((100..200).map(group));
    beyond.challenges.extend([Echo::default(); 9]);
    beyond
        .wishes
        .extend((0..99).map(|name| wish(WishSubject::Stopped(GroupId(name)))));
    beyond.vifs.extend(beyond.vifs.clone());
    beyond.answer.as_mut().unwrap().text.push_str("more");
    beyond.software.push_str("more");
    beyond.interval = Duration::MAX;
    let heard = |heartbeat| decode(&encode(&heartbeat, &keys()), &keys());
    let expected = Heartbeat {
        interval: Duration::from_micros(u32::MAX.into()),
        ..heard(longest()).unwrap()
    };
    assert_eq!(heard(beyond.clone()), Ok(expected));

    beyond.wishes = (0..99)
        .map(|name| wish(WishSubject::Stopped(GroupId(1000 + name))))
        .collect();
    let datagram = encode(&beyond, &keys());
    assert!(datagram.len() <= MAX_DATAGRAM);
    assert_eq!(decode(&datagram, &keys()).unwrap().wishes.len(), 8);
}

/// `cargo test --release --test wire -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
fn cost_of_a_datagram() {
    let small = Heartbeat {
        groups: (0..2).map(group).collect(),
        challenges: vec![],
        listed: vec![],
        wishes: vec![],
        vifs: longest().vifs.split_off(7),
        request: None,
        answer: None,
        software: "0.1.0".into(),
        ..longest()
    };
    let [small, large] = [small, longest()].map(|heartbeat| encode(&heartbeat, &keys()));
    let mut forged = large.clone();
    forged[30] ^= 1;
    let noise = vec![0; 1400];
    let keys = keys();
    let time = |what: &str, datagram: &[u8]| {
        let start = std::time::Instant::now();
        let rounds = 200_000;
        for _ in 0..rounds {
            let _ = std::hint::black_box(decode(std::hint::black_box(datagram), &keys));
        }
        let each = start.elapsed() / rounds;
        println!("{what}, {} bytes: {each:?}", datagram.len());
    };
    time("small", &small);
    time("longest", &large);
    time("forged", &forged);
    time("other magic", &noise);
}

const KEY: &[u8] = b"a key of the tests";
/// Magic and MAC.
const HEAD: usize = 20;

fn keys() -> Keyring {
    Keyring::new(vec![KEY.to_vec()]).unwrap()
}

/// A datagram with a right MAC around any body.
fn signed(body: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    let mac = mac.chain_update(b"HAhb").chain_update(body).finalize();
    [b"HAhb", &mac.into_bytes()[..16], body].concat()
}

/// Whatever was readable can be said again and means the same.
fn heard_again(heard: &Result<Heartbeat, Reject>) {
    if let Ok(heartbeat) = heard {
        let again = decode(&encode(heartbeat, &keys()), &keys()).unwrap();
        assert_eq!(again.groups, heartbeat.groups);
    }
}

fn longest() -> Heartbeat {
    let lasting = [
        WishSubject::Maintenance,
        WishSubject::Standby(Side::First),
        WishSubject::Standby(Side::Second),
    ];
    let stopped = (0..MAX_GROUPS as u64).map(stopped);
    Heartbeat {
        versions: Versions {
            lowest: 1,
            highest: 255,
        },
        cluster: u64::MAX,
        nodes: u64::MAX,
        node: Side::Second,
        incarnation: u64::MAX,
        sequence: u64::MAX,
        echo: echo(),
        heard_paths: 0xff,
        challenges: vec![echo(); MAX_CHALLENGES],
        interval: Duration::from_secs(1),
        misses: 1000,
        solicit: true,
        goodbye: true,
        fence_me: false,
        fencing: None,
        groups: (0..MAX_GROUPS as u64).map(group).collect(),
        listed: (0..99).map(listed).collect(),
        wishes: lasting.into_iter().chain(stopped).map(wish).collect(),
        vifs: vec![
            VifReport {
                id: VifId(u64::MAX),
                mac: [0xff; 6],
                address: [0xff; 16].into(),
                gateway: GatewayReport {
                    asked: u32::MAX,
                    answered: u32::MAX,
                    answers: Some(true),
                },
            };
            MAX_VIFS
        ],
        request: Some(Request {
            number: u32::MAX,
            verb: RequestVerb::Clear,
            group: Some(GroupId(u64::MAX)),
        }),
        answer: Some(Answer {
            number: u32::MAX,
            accepted: true,
            text: "x".repeat(MAX_TEXT),
        }),
        digest: u64::MAX,
        software: "x".repeat(32),
    }
}

fn listed(resource: u64) -> Listed {
    Listed {
        group: GroupId(resource % 20),
        resource: ResourceId(u64::MAX - resource),
    }
}

fn echo() -> Echo {
    Echo {
        incarnation: u64::MAX,
        sequence: u64::MAX,
    }
}

fn group(id: u64) -> GroupReport {
    GroupReport {
        id: GroupId(id),
        token: Token {
            epoch: MAX_EPOCH,
            holder: Side::Second,
        },
        list: u64::MAX,
        contested: true,
        proven_stopped: true,
        ordered: true,
        role: Role::Failed,
        readiness: Readiness::Able,
        fail_count: 16383,
    }
}

fn wish(subject: WishSubject) -> Wish {
    Wish {
        subject,
        given: [Some(GIVEN), Some(GIVEN)],
    }
}

const GIVEN: Given = Given {
    tag: u32::MAX,
    taken_back: true,
};

/// Any heartbeat within the limits; `wishes` gets the names of its groups.
fn heartbeat<S: Strategy<Value = Vec<Wish>>>(
    wishes: impl Fn(Vec<u64>) -> S,
) -> impl Strategy<Value = Heartbeat> {
    let frame = (
        (any::<u8>(), any::<u8>(), any::<[u64; 2]>(), any_side()),
        (1..=u64::MAX, 1..=u64::MAX, any_echo()),
        (
            (1..=u32::MAX, 3..=u16::MAX),
            any::<bool>(),
            any::<bool>(),
            any::<u8>(),
        ),
    );
    let tlvs = (
        vec(any_echo(), 0..=MAX_CHALLENGES),
        vec(any_vif(), 0..=MAX_VIFS),
        prop::option::of(any_request()),
        prop::option::of((any::<(u32, bool)>(), text(MAX_TEXT))),
        (any::<u64>(), text(32)),
    );
    let groups_and_wishes = hash_set(any::<u64>(), 0..=MAX_GROUPS).prop_flat_map(move |names| {
        let names: Vec<u64> = names.into_iter().collect();
        let groups: Vec<_> = names.iter().map(|&name| any_group(name)).collect();
        let listed = vec(
            any_listed(names.clone()),
            0..if names.is_empty() { 1 } else { 90 },
        );
        (groups, listed, wishes(names))
    });
    (frame, tlvs, groups_and_wishes).prop_map(|(frame, tlvs, (groups, listed, wishes))| {
        let (
            who,
            (incarnation, sequence, echo),
            ((interval, misses), solicit, goodbye, heard_paths),
        ) = frame;
        let (one, other, [cluster, nodes], node) = who;
        let (challenges, vifs, request, answer, (digest, software)) = tlvs;
        Heartbeat {
            versions: Versions {
                lowest: one.min(other),
                highest: one.max(other),
            },
            cluster,
            nodes,
            node,
            incarnation,
            sequence,
            echo,
            heard_paths,
            challenges,
            interval: Duration::from_micros(interval.into()),
            misses: misses.into(),
            solicit,
            goodbye,
            fence_me: false,
            fencing: None,
            groups,
            listed,
            wishes,
            vifs,
            request,
            answer: answer.map(|((number, accepted), text)| Answer {
                number,
                accepted,
                text,
            }),
            digest,
            software,
        }
    })
}

/// About both nodes, and groups that the sender reports.
fn known_wishes(names: Vec<u64>) -> impl Strategy<Value = Vec<Wish>> {
    let most = (3 + names.len()).min(15);
    let mut subjects = lasting();
    subjects.extend(names.into_iter().map(stopped));
    vec(any_wish(prop::sample::select(subjects)), 0..=most)
}

fn any_wishes(names: Vec<u64>) -> impl Strategy<Value = Vec<Wish>> {
    let mut subjects = lasting();
    subjects.extend(names.into_iter().map(stopped));
    let known = prop::sample::select(subjects);
    let unknown = any::<u64>().prop_map(stopped);
    vec(any_wish(prop_oneof![known, unknown]), 0..=3 + MAX_GROUPS)
}

fn lasting() -> Vec<WishSubject> {
    vec![
        WishSubject::Maintenance,
        WishSubject::Standby(Side::First),
        WishSubject::Standby(Side::Second),
    ]
}

fn stopped(group: u64) -> WishSubject {
    WishSubject::Stopped(GroupId(group))
}

fn any_wish(subject: impl Strategy<Value = WishSubject>) -> impl Strategy<Value = Wish> {
    let given = any::<[Option<(u32, bool)>; 2]>();
    (subject, given).prop_map(|(subject, given)| Wish {
        subject,
        given: given.map(|given| given.map(|(tag, taken_back)| Given { tag, taken_back })),
    })
}

fn any_group(name: u64) -> impl Strategy<Value = GroupReport> {
    let role = prop::sample::select(vec![
        Role::Stopped,
        Role::Starting,
        Role::Active,
        Role::Stopping,
        Role::Failed,
    ]);
    let readiness = prop::sample::select(vec![
        Readiness::Barred,
        Readiness::Unable,
        Readiness::Impaired,
        Readiness::Able,
    ]);
    let token = (0..=MAX_EPOCH, any_side()).prop_map(|(epoch, holder)| Token { epoch, holder });
    let facts = any::<(bool, bool, bool, u64)>();
    (token, facts, role, readiness, 0..=16383_u16).prop_map(
        move |(token, (contested, proven_stopped, ordered, list), role, readiness, fail_count)| {
            GroupReport {
                id: GroupId(name),
                token,
                list,
                contested,
                proven_stopped,
                ordered,
                role,
                readiness,
                fail_count,
            }
        },
    )
}

fn any_listed(names: Vec<u64>) -> impl Strategy<Value = Listed> {
    let names = if names.is_empty() { vec![0] } else { names };
    let what = (prop::sample::select(names), any::<u64>());
    what.prop_map(|(group, resource)| Listed {
        group: GroupId(group),
        resource: ResourceId(resource),
    })
}

fn any_vif() -> impl Strategy<Value = VifReport> {
    let what = (any::<u64>(), any::<[u8; 6]>(), any::<IpAddr>());
    let gateway = any::<(u32, u32, Option<bool>)>();
    (what, gateway).prop_map(
        |((id, mac, address), (asked, answered, answers))| VifReport {
            id: VifId(id),
            mac,
            address,
            gateway: GatewayReport {
                asked,
                answered,
                answers,
            },
        },
    )
}

fn any_request() -> impl Strategy<Value = Request> {
    let verb = prop::sample::select(vec![RequestVerb::Failover, RequestVerb::Clear]);
    (any::<u32>(), verb, any::<u64>()).prop_map(|(number, verb, group)| Request {
        number,
        verb,
        group: (group != 0).then_some(GroupId(group)),
    })
}

fn any_echo() -> impl Strategy<Value = Echo> {
    any::<(u64, u64)>().prop_map(|(incarnation, sequence)| Echo {
        incarnation,
        sequence,
    })
}

fn any_side() -> impl Strategy<Value = Side> {
    any::<bool>().prop_map(|second| if second { Side::Second } else { Side::First })
}

/// Any text of at most `longest` bytes.
fn text(longest: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..=longest).prop_map(move |chars| {
        let mut text = String::new();
        for char in chars {
            if text.len() + char.len_utf8() <= longest {
                text.push(char);
            }
        }
        text
    })
}

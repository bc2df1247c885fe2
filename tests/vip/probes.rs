//! Probes and pings between this node and its peer.

use crate::addresses::{address, set, vif};
use crate::namespaces::{Pair, until, within};
use ha_appliance::agents::neighbour::{Claim, Neighbours};
use ha_appliance::agents::netlink::Route;
use ha_appliance::agents::packet::Sender;
use ha_appliance::agents::ping::Pinger;
use ha_appliance::agents::vip::Vif;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const VIPS: [&str; 2] = ["10.77.0.100", "fd77::100"];

#[test]
fn the_holder_answers_a_probe_with_the_right_mac() {
    let pair = Pair::new();
    let (mut route, vifs, mut held) = pair.peer.run(|| set(&VIPS));
    held.start(&mut route, &vifs, Some(30), 0).unwrap();
    let mut neighbours = pair.ours.run(|| listening(&VIPS));
    for vip in VIPS {
        let begun = Instant::now();
        // IPv6 is not ready at once on a new cable.
        let answer = until("an answer", || {
            neighbours.probe(address(vip)).unwrap();
            within(Duration::from_millis(50), || neighbours.try_next().unwrap())
        });
        println!("probe of {vip} answered in {:.0} µs", us(begun));
        let expected = Claim {
            vif: 3,
            address: address(vip),
            mac: vifs[0].mac,
            is_reply: true,
        };
        assert_eq!(answer, expected);
        assert_eq!(pair.peer.ip("neigh show").matches("10.77.0.1 ").count(), 0);
    }
}

#[test]
fn an_absent_address_does_not_answer_and_ours_is_not_heard() {
    Pair::new().ours.run(|| {
        let (mut route, vifs, mut held) = set(&VIPS);
        held.start(&mut route, &vifs, Some(30), 0).unwrap();
        let mut neighbours = listening(&VIPS);
        for vip in VIPS {
            neighbours.probe(address(vip)).unwrap();
        }
        held.fire(&Sender::open().unwrap(), &vifs, 0).unwrap();
        let silence = within(Duration::from_millis(300), || {
            neighbours.try_next().unwrap()
        });
        assert_eq!(silence, None);
    });
}

#[test]
fn an_announcement_is_heard_as_a_claim_and_moves_the_peer() {
    let pair = Pair::new();
    let (mut neighbours, mine, mut gateways) = pair.ours.run(|| {
        let mine = vif(&mut Route::open().unwrap());
        (listening(&VIPS), mine, Route::open().unwrap())
    });
    let (mut route, mut vifs, mut held) = pair.peer.run(|| set(&VIPS));
    let sender = pair.peer.run(|| Sender::open().unwrap());
    // We are the gateway of the peer: it tells us in person.
    vifs[0].gateways = ["10.77.0.1", "fd77::1"]
        .map(|own| (address(own), mine.mac))
        .into();
    held.start(&mut route, &vifs, Some(30), 0).unwrap();
    assert_eq!(held.fire(&sender, &vifs, 0).unwrap(), 2 + 2 + 1 + 1);
    let mut claims = Vec::new();
    until("all six", || {
        claims.extend(neighbours.try_next().unwrap());
        (claims.len() == 6).then_some(())
    });
    assert!(claims.iter().all(|claim| claim.mac == vifs[0].mac));
    let told = |vip: &str, is_reply| {
        let wanted = |claim: &&Claim| claim.address == address(vip) && claim.is_reply == is_reply;
        claims.iter().filter(wanted).count()
    };
    assert_eq!((told(VIPS[0], false), told(VIPS[0], true)), (2, 2));
    assert_eq!((told(VIPS[1], false), told(VIPS[1], true)), (0, 2));
    // The request in person made the gateway learn an address it had never asked for.
    until("the gateway's cache", || {
        let cache = gateways.neighbours().unwrap();
        let mut with_vip = cache.iter().filter(|one| one.address == address(VIPS[0]));
        with_vip.find(|one| one.mac == vifs[0].mac).map(drop)
    });
}

#[test]
fn listening_survives_down_and_up_and_a_new_interface() {
    let pair = Pair::new();
    let (mut route, vifs, mut held) = pair.peer.run(|| set(&VIPS));
    held.start(&mut route, &vifs, None, 0).unwrap();
    let (mut neighbours, mut pinger) = pair.ours.run(|| (listening(&VIPS), pinging()));
    let works = |neighbours: &mut Neighbours, pinger: &mut Pinger, id| {
        until("probe and ping are answered", || {
            let _ = neighbours.probe(address(VIPS[0]));
            let _ = pinger.send(address("10.77.0.2"), id);
            within(Duration::from_millis(50), || neighbours.try_next().unwrap())?;
            within(Duration::from_millis(50), || pinger.try_next().unwrap())
        });
    };
    works(&mut neighbours, &mut pinger, 1);
    pair.ours.ip("link set eth0 down");
    assert!(neighbours.probe(address(VIPS[0])).is_err());
    assert_eq!(neighbours.try_next().unwrap(), None);
    pair.ours.ip("link set eth0 up");
    works(&mut neighbours, &mut pinger, 2);

    pair.ours.ip("link set eth0 name gone");
    pair.ours.ip("addr flush dev gone");
    pair.ours.ip("link set gone down");
    // Another interface of that name: the same cable, moved through a bridge of one port.
    pair.ours.ip("link add eth0 type bridge");
    pair.ours.ip("link set gone master eth0");
    pair.ours.ip("link set gone up");
    pair.ours.ip("link set eth0 up");
    pair.ours.ip("addr add 10.77.0.1/24 dev eth0");
    let anew = pair.ours.run(|| vif(&mut Route::open().unwrap()));
    neighbours.bind(anew.index.unwrap(), anew.mac).unwrap();
    pinger.bind("eth0", anew.index.unwrap()).unwrap();
    works(&mut neighbours, &mut pinger, 3);
}

#[test]
fn a_ping_is_answered_by_its_target_or_not_at_all() {
    let pair = Pair::new();
    let mut pinger = pair.ours.run(pinging);
    let own_link_local = link_local(&pair.peer.ip("-6 addr show dev eth0 scope link"));
    for (id, target) in [
        (7, address("10.77.0.2")),
        (u64::MAX, address("fd77::2")),
        (9, own_link_local),
    ] {
        let begun = Instant::now();
        // A link-local source is tentative for a moment after the cable is plugged in.
        let answer = until("an answer", || {
            let _ = pinger.send(target, id);
            within(Duration::from_millis(50), || pinger.try_next().unwrap())
        });
        println!("ping of {target} answered in {:.0} µs", us(begun));
        assert_eq!(answer, (target, id));
    }
    let _ = pinger.send(address("10.77.0.9"), 1);
    let _ = pinger.send(address("fd77::9"), 2);
    let mut stranger = pair.ours.run(pinging);
    stranger.send(address("10.77.0.2"), 3).unwrap(); // another process's ping
    let silence = within(Duration::from_millis(300), || pinger.try_next().unwrap());
    assert_eq!(silence, None);
}

fn listening(addresses: &[&str]) -> Neighbours {
    let mut neighbours = Neighbours::open(3).unwrap();
    let Vif { index, mac, .. } = vif(&mut Route::open().unwrap());
    neighbours.bind(index.unwrap(), mac).unwrap();
    neighbours.watch(addresses.iter().map(|one| address(one)));
    neighbours
}

fn pinging() -> Pinger {
    let mut pinger = Pinger::open().unwrap();
    let index = vif(&mut Route::open().unwrap()).index;
    pinger.bind("eth0", index.unwrap()).unwrap();
    pinger
}

fn link_local(listed: &str) -> IpAddr {
    let word = listed
        .split_whitespace()
        .find(|word| word.starts_with("fe80"));
    address(word.unwrap().split_once('/').unwrap().0)
}

fn us(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e6
}

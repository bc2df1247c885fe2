//! What others change is heard at once.

use crate::addresses::{address, renew, set};
use crate::namespaces::{Pair, ip, until};
use ha_appliance::agents::netlink::{Change, Monitor, Route};
use ha_appliance::agents::vip::Presence;
use std::time::Instant;

#[test]
fn a_vip_deleted_by_hand_is_heard_and_put_back() {
    Pair::new().ours.run(|| {
        let (mut route, vifs, mut set) = set(&["10.77.0.100", "fd77::100"]);
        set.start(&mut route, &vifs, Some(30), 0).unwrap();
        let mut monitor = Monitor::open().unwrap();
        for vip in ["10.77.0.100/32", "fd77::100/128"] {
            let begun = Instant::now();
            let wanted = address(vip.split_once('/').unwrap().0);
            ip(&format!("addr del {vip} dev eth0"));
            heard(&mut monitor, |change| {
                matches!(change, Change::AddressRemoved { interface, address, .. }
                    if *address == wanted && Some(*interface) == vifs[0].index)
            });
            set.put_back(&mut route, &vifs, wanted, Some(30), 7)
                .unwrap();
            println!("put back {:.1} ms after `ip` began", ms(begun));
            assert_eq!(set.look(&mut route, &vifs).unwrap(), Presence::All);
            heard(&mut monitor, |change| {
                matches!(change, Change::AddressAdded { address, prefix, .. }
                    if *address == wanted && *prefix == if wanted.is_ipv4() { 32 } else { 128 })
            });
        }
        assert_eq!(set.next_deadline(), Some(7), "announced from then");
    });
}

#[test]
fn an_expiry_is_heard() {
    Pair::new().ours.run(|| {
        let (mut route, vifs, mut set) = set(&["10.77.0.100", "fd77::100"]);
        let mut monitor = Monitor::open().unwrap();
        set.start(&mut route, &vifs, Some(1), 0).unwrap();
        let begun = Instant::now();
        for _ in 0..2 {
            let change = heard(&mut monitor, |c| matches!(c, Change::AddressRemoved { .. }));
            println!("valid_lft 1: {change:?} after {:.0} ms", ms(begun));
        }
    });
}

/// The event may be a second late, when another came just before; a look is not.
#[test]
fn lost_carrier_is_seen_at_once_and_heard() {
    let pair = Pair::new();
    let (mut monitor, mut route) = pair
        .ours
        .run(|| (Monitor::open().unwrap(), Route::open().unwrap()));
    for (state, live) in [("down", false), ("up", true)] {
        pair.peer.ip(&format!("link set eth0 {state}"));
        let begun = Instant::now();
        let seen = route.interfaces().unwrap();
        println!("carrier {live} looked at in {:.2} ms", ms(begun));
        let eth0 = seen.iter().find(|one| one.name == "eth0").unwrap();
        assert_eq!(eth0.carrier, live);
        heard(&mut monitor, |change| {
            matches!(change, Change::Link { name, carrier, up: true, .. }
                if name == "eth0" && *carrier == live)
        });
        println!("carrier {live} heard after {:.1} ms", ms(begun));
    }
}

#[test]
fn interfaces_that_come_and_go_are_heard() {
    Pair::new().ours.run(|| {
        let mut monitor = Monitor::open().unwrap();
        ip("link del eth0");
        heard(&mut monitor, |change| {
            matches!(change, Change::LinkGone { name, .. } if name == "eth0")
        });
        ip("link add eth0 type veth peer name other");
        heard(&mut monitor, |change| {
            matches!(change, Change::Link { name, up: false, mac, .. } if name == "eth0" && *mac != [0; 6])
        });
    });
}

#[test]
fn only_default_routes_are_told() {
    Pair::new().ours.run(|| {
        let mut monitor = Monitor::open().unwrap();
        ip("route add 192.0.2.0/24 via 10.77.0.2");
        ip("route add default via 10.77.0.2");
        assert_eq!(heard(&mut monitor, |_| true), Change::DefaultRoute);
        ip("route del default");
        assert_eq!(heard(&mut monitor, |_| true), Change::DefaultRoute);
        assert_eq!(monitor.try_next().unwrap(), None);
    });
}

#[test]
fn an_overflow_is_told_and_the_monitor_goes_on() {
    Pair::new().ours.run(|| {
        let mut route = Route::open().unwrap();
        let (_, vifs, mut set) = set(&["10.77.0.100"]);
        let mut monitor = Monitor::open().unwrap();
        // Nobody drains: four megabytes fill.
        for _ in 0..20_000 {
            renew(&mut set, &mut route, &vifs, Some(60));
        }
        heard(&mut monitor, |change| *change == Change::Overflow);
        while monitor.try_next().unwrap().is_some() {}
        ip("addr del 10.77.0.100/32 dev eth0");
        heard(&mut monitor, |c| matches!(c, Change::AddressRemoved { .. }));
    });
}

fn heard(monitor: &mut Monitor, is_it: impl Fn(&Change) -> bool) -> Change {
    until("the change is told", || {
        let mut next = std::iter::from_fn(|| monitor.try_next().unwrap());
        next.find(|change| is_it(change))
    })
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

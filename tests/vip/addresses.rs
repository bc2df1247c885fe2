//! VIPs in the kernel: added, renewed, expired, put back, removed.

use crate::namespaces::{Pair, ip, until};
use ha_appliance::agents::netlink::{AddressSpec, Installed, Route, host};
use ha_appliance::agents::packet::Sender;
use ha_appliance::agents::vip::{Doing, Presence, Vif, VipSet, VipTarget, release};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::time::Instant;

const V4: &str = "10.77.0.100";
const V6: &str = "fd77::100";

#[test]
fn the_host_is_described() {
    Pair::new().ours.run(|| {
        ip("route add default via 10.77.0.2");
        ip("route add default dev eth0 nexthop via fd77::2 nexthop via fd77::3");
        let host = host().unwrap();
        let eth0 = host.interfaces.iter().find(|i| i.name == "eth0").unwrap();
        assert!(eth0.up && eth0.carrier);
        assert_ne!(eth0.mac, [0; 6]);
        assert!(eth0.addresses.contains(&"10.77.0.1/24".parse().unwrap()));
        assert!(eth0.addresses.contains(&"fd77::1/64".parse().unwrap()));
        let gateways = ["10.77.0.2", "fd77::2", "fd77::3"];
        let gateways = gateways.map(|gateway| (eth0.index, address(gateway)));
        assert_eq!(host.default_gateways, gateways);
        let lo = host.interfaces.iter().find(|i| i.name == "lo").unwrap();
        assert_eq!(lo.mac, [0; 6]);
    });
}

/// It has no route to its network: a VIP beside it would answer nobody.
#[test]
fn an_own_address_that_another_host_has_is_none() {
    let pair = Pair::new();
    pair.peer.ip("addr add fd77::9/64 dev eth0 nodad");
    pair.ours.run(|| {
        ip("addr add fd77::9/64 dev eth0");
        let found = until("a duplicate is found", || {
            let listed = ip("addr show dev eth0 dadfailed");
            listed.contains("fd77::9/64").then(|| host().unwrap())
        });
        let eth0 = found.interfaces.iter().find(|i| i.name == "eth0").unwrap();
        assert!(!eth0.addresses.contains(&"fd77::9/64".parse().unwrap()));
        assert!(eth0.addresses.contains(&"fd77::1/64".parse().unwrap()));
    });
}

#[test]
fn start_look_and_stop_are_idempotent() {
    Pair::new().ours.run(|| {
        let (mut route, vifs, mut set) = set(&[V4, V6]);
        assert_eq!(set.look(&mut route, &vifs).unwrap(), Presence::None);
        for _ in 0..2 {
            set.start(&mut route, &vifs, Some(30), 0).unwrap();
            assert_eq!(set.look(&mut route, &vifs).unwrap(), Presence::All);
        }
        for (vip, prefix) in [(V4, 32), (V6, 128)] {
            let found = only(&mut route, vip);
            assert_eq!(found.prefix, prefix);
            assert!((28..=30).contains(&found.lifetime.unwrap()), "{found:?}");
        }
        let listed = ip("addr show dev eth0 deprecated");
        assert!(listed.contains(V4) && listed.contains(V6), "{listed}");

        ip("addr del fd77::100/128 dev eth0");
        let missing = Presence::Some(vec![address(V6)]);
        assert_eq!(set.look(&mut route, &vifs).unwrap(), missing);
        for _ in 0..2 {
            set.stop(&mut route).unwrap();
            assert_eq!(set.look(&mut route, &vifs).unwrap(), Presence::None);
        }
    });
}

#[test]
fn a_vip_expires_unless_renewed() {
    Pair::new().ours.run(|| {
        let (mut route, vifs, mut set) = set(&[V4, V6]);
        set.start(&mut route, &vifs, Some(1), 0).unwrap();
        until("the kernel removes both", || {
            (set.look(&mut route, &vifs).unwrap() == Presence::None).then_some(())
        });

        set.start(&mut route, &vifs, Some(2), 0).unwrap();
        let begun = Instant::now();
        while begun.elapsed().as_secs() < 4 {
            renew(&mut set, &mut route, &vifs, Some(2));
            assert_eq!(set.look(&mut route, &vifs).unwrap(), Presence::All);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        renew(&mut set, &mut route, &vifs, None);
        assert_eq!(only(&mut route, V4).lifetime, None, "maintenance: for ever");
        assert_eq!(only(&mut route, V6).lifetime, None);
        renew(&mut set, &mut route, &vifs, Some(1));
        until("the short deadline of an overlapped move holds", || {
            (set.look(&mut route, &vifs).unwrap() == Presence::None).then_some(())
        });
    });
}

#[test]
fn adoption_touches_no_lifetime() {
    Pair::new().ours.run(|| {
        let (mut route, vifs, mut before) = set(&[V4, V6]);
        before.start(&mut route, &vifs, Some(3), 0).unwrap();
        let (mut route, vifs, mut restarted) = set(&[V4, V6]);
        assert_eq!(restarted.next_deadline(), None, "and announces nothing");
        until(
            "a dying daemon's lease ends under its successor too",
            || (restarted.look(&mut route, &vifs).unwrap() == Presence::None).then_some(()),
        );
        restarted.start(&mut route, &vifs, None, 5).unwrap();
        assert_eq!(restarted.next_deadline(), Some(5));
    });
}

#[test]
fn a_v6_vip_is_usable_at_once() {
    Pair::new().ours.run(|| {
        let (mut route, vifs, mut set) = set(&[V6]);
        set.start(&mut route, &vifs, Some(30), 0).unwrap();
        TcpListener::bind((address(V6), 0)).expect("bound without waiting for a duplicate");
    });
}

#[test]
fn connections_start_from_the_own_address() {
    Pair::new().ours.run(|| {
        let (mut route, vifs, mut set) = set(&[V4, V6]);
        set.start(&mut route, &vifs, Some(30), 0).unwrap();
        for (from, peer, own) in [
            ("0.0.0.0:0", "10.77.0.2:9", "10.77.0.1"),
            ("[::]:0", "[fd77::2]:9", "fd77::1"),
        ] {
            let socket = UdpSocket::bind(from).unwrap();
            socket.connect(peer).unwrap();
            assert_eq!(socket.local_addr().unwrap().ip(), address(own));
        }
    });
}

/// A VIP of the same network that were the primary address would take the others with it.
#[test]
fn the_own_address_and_its_routes_survive_the_vip() {
    Pair::new().ours.run(|| {
        ip("addr del 10.77.0.1/24 dev eth0");
        let (mut route, vifs, mut set) = set(&[V4]);
        set.start(&mut route, &vifs, Some(1), 0).unwrap();
        ip("addr add 10.77.0.1/24 dev eth0"); // the VIP was there first
        ip("addr add 10.77.0.3/24 dev eth0");
        ip("route add default via 10.77.0.2");
        until("expired", || {
            (set.look(&mut route, &vifs).unwrap() == Presence::None).then_some(())
        });
        for _ in 0..2 {
            let listed = ip("addr show dev eth0");
            assert!(listed.contains("10.77.0.1/24") && listed.contains("10.77.0.3/24"));
            let routes = ip("route show");
            assert!(routes.contains("default") && routes.contains("10.77.0.0/24"));
            set.start(&mut route, &vifs, None, 0).unwrap();
            set.stop(&mut route).unwrap();
        }
    });
}

/// ha.toml may name it by mistake; the machine would lose its network and the way out.
#[test]
fn the_machine_s_own_address_is_never_removed() {
    Pair::new().ours.run(|| {
        ip("route add default via 10.77.0.2");
        let (mut route, vifs, mut set) = set(&["10.77.0.1", V4]);
        set.start(&mut route, &vifs, None, 0).unwrap();
        let errors = set.stop(&mut route).unwrap_err();
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let text = "cannot remove 10.77.0.1 from eth0: it is this machine's own, the only one in its network: \
                    correct ha.toml";
        assert_eq!(told, [text]);
        let (listed, routes) = (ip("addr show dev eth0"), ip("route show"));
        assert!(listed.contains("10.77.0.1/24") && !listed.contains(V4), "{listed}");
        assert!(routes.contains("default"), "{routes}");

        // One beside it in its network: then it is a VIP that somebody configured.
        ip("addr add 10.77.0.9/24 dev eth0");
        assert_eq!(release(&[address("10.77.0.1")]).unwrap().len(), 1);
        // Where all are single, the only one is the machine's own.
        ip("addr flush dev eth0");
        ip("addr add 10.77.0.1/32 dev eth0");
        assert!(release(&[address("10.77.0.1")]).is_err());
        ip("addr add 10.77.0.9/32 dev eth0");
        assert_eq!(release(&[address("10.77.0.1")]).unwrap().len(), 1);
    });
}

#[test]
fn what_others_put_elsewhere_is_found_and_removed() {
    Pair::new().ours.run(|| {
        let (mut route, vifs, mut set) = set(&[V4, V6]);
        ip("addr add 10.77.0.100/32 dev lo");
        ip("addr add fd77::100/64 dev eth0 nodad");
        let missing = Presence::Some(vec![address(V4)]);
        assert_eq!(set.look(&mut route, &vifs).unwrap(), missing);
        set.start(&mut route, &vifs, None, 0).unwrap();
        let stray = Presence::Some(vec![]);
        assert_eq!(set.look(&mut route, &vifs).unwrap(), stray);
        set.stop(&mut route).unwrap();
        assert_eq!(set.look(&mut route, &vifs).unwrap(), Presence::None);

        set.start(&mut route, &vifs, None, 0).unwrap();
        assert_eq!(release(&[address(V4), address(V6)]).unwrap().len(), 2);
        assert_eq!(release(&[address(V4), address(V6)]).unwrap(), []);
        let own = route.addresses().unwrap();
        assert!(own.iter().any(|one| one.address == address("10.77.0.1")));
    });
}

#[test]
fn one_that_fails_is_named_and_the_others_are_added() {
    Pair::new().ours.run(|| {
        let (mut route, mut vifs, _) = set(&[]);
        vifs.push(Vif {
            name: "eth7".into(),
            ..Vif::default()
        });
        std::fs::write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1").unwrap();
        let mut set = VipSet::new(vec![target("10.77.0.101", 1), target(V6, 0), target(V4, 0)]);
        let errors = set.start(&mut route, &vifs, Some(9), 0).unwrap_err();
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let expected = [
            "cannot add 10.77.0.101 to eth7: No such device (os error 19): \
             there is no such interface at the moment",
            "cannot add fd77::100 to eth0: Permission denied (os error 13): \
             IPv6 is disabled there: see net.ipv6.conf.*.disable_ipv6",
        ];
        assert_eq!(told, expected);
        assert_eq!(errors[0].doing, Doing::Add);
        assert_eq!(only(&mut route, V4).prefix, 32);
        assert_eq!(set.next_deadline(), Some(0), "the one added is announced");

        ip("link set eth0 down");
        let error = set.fire(&Sender::open().unwrap(), &vifs, 0).unwrap_err();
        assert_eq!(
            (error.doing, error.errno),
            (Doing::Announce, libc::ENETDOWN)
        );
        assert_eq!(set.next_deadline(), Some(200_000), "the next turn comes");
    });
}

#[test]
fn each_verdict_stands_at_its_address() {
    Pair::new().ours.run(|| {
        let (mut route, vifs, _) = set(&[]);
        let specs: Vec<_> = (0..200u8)
            .map(|n| AddressSpec {
                interface: match n % 3 {
                    0 => 9999,
                    _ => vifs[0].index.unwrap(),
                },
                address: Ipv4Addr::new(10, 78, 0, n).into(),
                lifetime: if n % 3 == 1 { Some(0) } else { Some(9) },
            })
            .collect();
        let verdicts = route.add(&specs).unwrap();
        let expected: Vec<_> = (0..200)
            .map(|n| [libc::ENODEV, libc::EINVAL, 0][n % 3])
            .collect();
        assert_eq!(verdicts, expected);
        assert_eq!(route.add(&[]).unwrap(), Vec::<i32>::new());
    });
}

#[test]
fn a_thousand_in_one_go() {
    Pair::new().ours.run(|| {
        let first = Ipv4Addr::new(10, 78, 0, 0).to_bits();
        let thousand = (0..1000).map(|n| VipTarget {
            address: Ipv4Addr::from(first + n).into(),
            vif: 0,
        });
        let (mut route, vifs, _) = set(&[]);
        let mut set = VipSet::new(thousand.collect());
        let sender = Sender::open().unwrap();
        timed("add 1000", || {
            set.start(&mut route, &vifs, Some(60), 0).unwrap();
        });
        timed("look at 1000", || {
            assert_eq!(set.look(&mut route, &vifs).unwrap(), Presence::All);
        });
        timed("renew 1000", || {
            renew(&mut set, &mut route, &vifs, Some(60));
        });
        let (mut frames, mut wakes, mut now) = (0, 0, 0);
        timed("announce 1000 once", || {
            while now < 200_000 {
                let sent = set.fire(&sender, &vifs, now).unwrap();
                assert!(sent <= 256, "{sent} frames in one wake");
                frames += sent;
                wakes += 1;
                now = set.next_deadline().unwrap();
            }
        });
        assert_eq!(frames, 2000, "in {wakes} wakes");
        assert_eq!(
            set.fire(&sender, &vifs, now - 1).unwrap(),
            0,
            "early: harmless"
        );
        timed("remove 1000", || set.stop(&mut route).unwrap());
        assert_eq!(set.look(&mut route, &vifs).unwrap(), Presence::None);
    });
}

/// With so many the kernel is slow, and a heartbeat must fit in between.
#[test]
fn a_thousand_of_ipv6_in_parts() {
    Pair::new().ours.run(|| {
        let thousand = (0..1000u16).map(|n| VipTarget {
            address: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 1, n).into(),
            vif: 0,
        });
        let (mut route, vifs, _) = set(&[]);
        let mut set = VipSet::new(thousand.collect());
        assert_eq!(set.parts().map(|part| part.len()).sum::<usize>(), 1000);
        timed("add 1000 of IPv6", || {
            set.start(&mut route, &vifs, Some(60), 0).unwrap();
        });
        for part in set.parts() {
            timed("renew a part of IPv6", || {
                set.renew(&mut route, &vifs, part, Some(60)).unwrap();
            });
        }
        assert_eq!(set.look(&mut route, &vifs).unwrap(), Presence::All);
        timed("remove 1000 of IPv6", || set.stop(&mut route).unwrap());
    });
}

/// Renews the whole set.
pub fn renew(set: &mut VipSet, route: &mut Route, vifs: &[Vif], lifetime: Option<u32>) {
    for part in set.parts() {
        set.renew(route, vifs, part, lifetime).unwrap();
    }
}

/// A set of VIPs on eth0 of the calling thread's namespace.
pub fn set(vips: &[&str]) -> (Route, Vec<Vif>, VipSet) {
    let mut route = Route::open().unwrap();
    let vifs = vec![vif(&mut route)];
    let set = VipSet::new(vips.iter().map(|vip| target(vip, 0)).collect());
    (route, vifs, set)
}

/// eth0 as it is now.
pub fn vif(route: &mut Route) -> Vif {
    let interfaces = route.host().unwrap().interfaces;
    let eth0 = interfaces.into_iter().find(|i| i.name == "eth0").unwrap();
    Vif {
        name: eth0.name,
        index: Some(eth0.index),
        mac: eth0.mac,
        ..Vif::default()
    }
}

pub fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn target(vip: &str, vif: usize) -> VipTarget {
    VipTarget {
        address: address(vip),
        vif,
    }
}

fn only(route: &mut Route, vip: &str) -> Installed {
    let all = route.addresses().unwrap();
    let mut found = all.into_iter().filter(|one| one.address == address(vip));
    let one = found.next().expect(vip);
    assert_eq!(found.next(), None);
    one
}

/// Says how long it took, for whoever runs with `--nocapture`.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    println!("{what}: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    done
}

//! A file applied to a machine: what is found, and what is warned of.

use crate::BASE;
use ha_appliance::agents::host::{Host, Interface, Ipv6};
use ha_appliance::config::{
    Config, Family, Known, Lack, Resolved, Warning, generate_key_line, parse_with_key_file,
    resolve, resolve_again,
};
use ha_appliance::core::time::Time;
use ha_appliance::wire::heartbeat::Side;
use std::path::Path;

const UNPROTECTED: &str = "UNPROTECTED: neither fencing nor a witness; when the nodes lose sight of each other, two \
                           alone cannot be both safe and automatic, and takeover is best effort";

#[test]
fn a_machine_that_is_ready_has_nothing_to_be_warned_of_but_the_missing_fence() {
    let (resolved, warnings) = resolve(&config(BASE), Side::First, &host());
    assert_eq!(told(&warnings), [UNPROTECTED]);
    let [interlink, lan] = &resolved.links[..] else {
        panic!("two links");
    };
    assert_eq!((interlink.index, interlink.interface), (0, Some(3)));
    assert_eq!(interlink.local.to_string(), "10.1.1.1");
    assert_eq!(interlink.peer.to_string(), "10.1.1.2");
    assert_eq!((lan.index, lan.interface), (1, Some(2)));
    assert_eq!(lan.interface_name.as_deref(), Some("eth0"));
    assert_eq!(vifs(&resolved), ["eth0 2 192.168.10.1"]);
    assert_eq!(resolved.vip_vifs, [[0]]);

    let (resolved, warnings) = resolve(&config(BASE), Side::Second, &peer());
    assert_eq!(told(&warnings), [UNPROTECTED]);
    assert_eq!(resolved.links[0].local.to_string(), "10.1.1.2");
    assert_eq!(resolved.links[0].peer.to_string(), "10.1.1.1");
}

/// The text of each warning, each from one change of the file or of the machine.
#[test]
fn what_may_be_right_later_is_a_warning() {
    let nothing = Host::default();
    type Edits<'a> = &'a [(&'a str, &'a str)];
    let cases: Vec<(Edits, Host, &[&str])> = vec![
        (
            &[],
            nothing,
            &[
                "link address 10.1.1.1 is on no interface; no heartbeat uses this link until it is",
                "link address 192.168.10.81 is on no interface; no heartbeat uses this link until it is",
                "interface eth0 does not exist; its VIPs wait for it",
            ],
        ),
        (
            &[],
            changed(|host| host.interfaces[1].carrier = false),
            &[
                "link address 192.168.10.81 is on eth0, which is down or has no carrier",
                "interface eth0 is down or has no carrier; its VIPs run only once it is up",
            ],
        ),
        (
            &[],
            changed(|host| host.interfaces[2].up = false),
            &["link address 10.1.1.1 is on eth1, which is down or has no carrier"],
        ),
        (
            &[],
            changed(|host| host.interfaces[1].addresses.push(net("192.168.10.82/24"))),
            &["this host has 192.168.10.82, which the file gives to lb2; is this really not lb2?"],
        ),
        (
            &[("\"10.1.1.1\", ", ""), ("\"10.1.1.2\", ", "")],
            host(),
            &[
                "only one link: one cable or one switch port makes the nodes lose sight of each other",
                "the first link, 192.168.10.81, is on a VIP's network: load on the service LAN may look like death; \
                 a cable between the nodes as first link prevents it",
            ],
        ),
        (
            &[],
            changed(|host| {
                host.interfaces[1].addresses.push(net("10.1.1.1/24"));
                host.interfaces[2].addresses.clear();
            }),
            &[
                "links 10.1.1.1 and 192.168.10.81 are both on eth0: they fail together",
                "the first link, 10.1.1.1, is on a VIP's network: load on the service LAN may look like death; \
                 a cable between the nodes as first link prevents it",
            ],
        ),
        (
            &[],
            changed(|host| {
                host.interfaces[1].addresses = vec![net("192.168.10.81/32"), net("172.16.0.1/16")];
                host.default_gateways.clear();
            }),
            &[
                "VIP 192.168.10.80/24 is outside the networks of eth0 (172.16.0.0/16); only hosts with a route to it \
                 will reach it",
                "gateway 192.168.10.1 is in the network of no VIP interface; it is not pinged",
                "no gateway is known on eth0: no takeover without fencing from a silent peer, and a node cut off from \
                 the LAN does not notice",
            ],
        ),
        (
            &[],
            changed(|host| host.interfaces[1].addresses.clear()),
            &[
                "link address 192.168.10.81 is on no interface; no heartbeat uses this link until it is",
                "eth0 has no address of its own yet in the network of VIP 192.168.10.80/24",
            ],
        ),
        (
            &[],
            changed(|host| host.interfaces[1].addresses[0] = net("192.168.10.81/25")),
            &[
                "VIP 192.168.10.80/24 has another prefix length than the network of eth0, 192.168.10.0/25; the \
                 interface's counts",
            ],
        ),
        (
            &[],
            changed(|host| host.interfaces[1].addresses.push(net("192.168.10.80/24"))),
            &[
                "VIP 192.168.10.80/24 is configured on eth0 by somebody else; take it out of this host's network \
                 configuration, or both nodes may hold it",
            ],
        ),
        (
            &[],
            changed(|host| host.interfaces[1].addresses.push(net("192.168.10.80/32"))),
            &[],
        ),
        (
            &[("[\"192.168.10.1\"]", "[]")],
            host(),
            &[
                "no gateway is pinged (`addresses = []`): no takeover without fencing from a silent peer, and a node \
                 cut off from the LAN does not notice",
            ],
        ),
        (
            &[("[\"192.168.10.1\"]", "[\"192.168.10.1\", \"172.31.0.1\"]")],
            host(),
            &["gateway 172.31.0.1 is in the network of no VIP interface; it is not pinged"],
        ),
        (
            &[("addresses = [\"192.168.10.1\"]", "")],
            changed(|host| host.default_gateways.clear()),
            &[
                "no gateway is known on eth0: no takeover without fencing from a silent peer, and a node cut off from \
                 the LAN does not notice",
            ],
        ),
        (
            &[("interface = \"eth0\"", "")],
            changed(|host| {
                host.interfaces.remove(1);
            }),
            &[
                "link address 192.168.10.81 is on no interface; no heartbeat uses this link until it is",
                "no interface's network holds VIP 192.168.10.80/24 yet; it waits for one, or for `interface`",
            ],
        ),
        (
            &[("interface = \"eth0\"", "")],
            changed(|host| host.interfaces[2].addresses.push(net("192.168.10.7/24"))),
            &[
                "VIP 192.168.10.80/24 is in the networks of both eth0 and eth1; eth0 is taken, `interface` would decide",
            ],
        ),
        (
            &[(
                "interface = \"eth0\"",
                "[[group.resource]]\nvip = \"192.168.10.90/25\"",
            )],
            host(),
            &[
                "VIP 192.168.10.90/25 turns out to share eth0 with VIPs of another network; write `interface` at each of them, so that \
                 both nodes count their interfaces alike at any time",
                "VIP 192.168.10.90/25 has another prefix length than the network of eth0, 192.168.10.0/24; the \
                 interface's counts",
            ],
        ),
    ];
    for (edits, host, expected) in cases {
        let edited = edits
            .iter()
            .fold(BASE.to_owned(), |text, (from, to)| text.replace(from, to));
        let (_, warnings) = resolve(&config(&edited), Side::First, &host);
        assert_eq!(told(&warnings)[0], UNPROTECTED);
        assert_eq!(told(&warnings)[1..], *expected);
    }
}

#[test]
fn services_that_may_miss_their_vips_are_a_warning() {
    let both = "service = \"a\"\nmode = \"both\"";
    let wildcard = "a.service runs on both nodes, VIP 192.168.10.80/24 on one of them: let it listen on all addresses, \
                    or set net.ipv4.ip_nonlocal_bind = 1, which is not so";
    let above = "a.service stands above VIP 192.168.10.80/24 and starts before that is there; put it below, unless it \
                 listens on all addresses";
    let vip = "vip = \"192.168.10.80/24\"\ninterface = \"eth0\"";
    let six = "vip = \"2001:db8::80/64\"\ninterface = \"eth0\"";
    let asks = format!("{both}\ncheck = {{ tcp = \"192.168.10.80:80\" }}");
    for (resources, nonlocal_bind, expected) in [
        (&[vip, "service = \"a\""][..], [false, false], &[][..]),
        (&[vip, both], [false, false], &[wildcard]),
        (&[vip, both], [false, true], &[wildcard]),
        (&[both, vip], [true, false], &[]),
        (
            &[vip, six, both],
            [true, false],
            &[
                "a.service runs on both nodes, VIP 2001:db8::80/64 on one of them: let it listen on all addresses, or \
               set net.ipv6.ip_nonlocal_bind = 1, which is not so",
            ],
        ),
        (&["service = \"a\"", vip], [false, true], &[above]),
        (&["service = \"a\"", vip], [true, false], &[]),
        (&[six, "service = \"a\"", vip], [false, false], &[above]),
        // A backend stands above the address of its front on purpose.
        (
            &["service = \"b\"", vip, "service = \"a\""],
            [false, false],
            &[],
        ),
        (
            &[vip, &asks],
            [true, true],
            &[
                "the check of a.service asks VIP 192.168.10.80/24, which one node has at a time: on the other it asks \
               the peer; ask 127.0.0.1",
            ],
        ),
    ] {
        let head = BASE.split("[[group.resource]]").next().unwrap();
        let resources: Vec<_> = resources
            .iter()
            .map(|resource| format!("[[group.resource]]\n{resource}\n"))
            .collect();
        let mut host = Host {
            nonlocal_bind,
            ..host()
        };
        host.interfaces[1].addresses.push(net("2001:db8::81/64"));
        let text = head.to_owned() + &resources.concat();
        let (_, warnings) = resolve(&config(&text), Side::First, &host);
        assert_eq!(told(&warnings)[1..], *expected, "{text}");
    }
    let text = BASE.replace("vip = \"192.168.10.80/24\"\ninterface = \"eth0\"", both);
    let (resolved, warnings) = resolve(&config(&text), Side::First, &host());
    assert_eq!(vifs(&resolved), [""; 0]);
    assert_eq!(
        told(&warnings)[1..],
        [
            "gateway 192.168.10.1 is in the network of no VIP interface; it is not pinged",
            "group web has no VIP: nothing shows whether a silent peer still runs it, so without fencing it is taken \
             over from one only by `confirm-fenced`",
        ]
    );
}

#[test]
fn both_nodes_count_vip_interfaces_alike() {
    let vips = |list: &[(&str, &str)]| {
        let mut text = BASE.split("[[group.resource]]").next().unwrap().to_owned();
        for (vip, interface) in list {
            text.push_str(&format!(
                "[[group.resource]]\nvip = \"{vip}\"\n{interface}\n"
            ));
        }
        config(&text)
    };
    let eth0 = "interface = \"eth0\"";
    let differs = "interface = { lb1 = \"eth0\", lb2 = \"ens3\" }";
    for (list, places) in [
        // By name, in order of first mention.
        (
            vec![
                ("192.168.10.90/24", "interface = \"eth9\""),
                ("192.168.10.91/24", eth0),
                ("192.168.10.92/24", "interface = \"eth9\""),
            ],
            vec![0, 1, 0],
        ),
        // By network, also with one that is named.
        (
            vec![
                ("192.168.10.90/24", ""),
                ("10.7.0.1/16", ""),
                ("192.168.10.91/24", eth0),
                ("10.7.8.9/32", ""),
                ("192.168.10.92/32", ""),
            ],
            vec![0, 1, 0, 1, 0],
        ),
        // The same name here may be two there.
        (
            vec![("192.168.10.90/24", eth0), ("192.168.10.91/24", differs)],
            vec![0, 1],
        ),
    ] {
        let config = vips(&list);
        for (side, host) in [
            (Side::First, host()),
            (Side::First, Host::default()),
            (Side::Second, peer()),
            (Side::Second, Host::default()),
        ] {
            let (resolved, _) = resolve(&config, side, &host);
            assert_eq!(resolved.vip_vifs[0], places, "{side:?} {list:?}");
        }
    }
    // A single address alone goes by the machine's networks: counted apart only until they are known.
    let singles = vips(&[("192.168.10.90/32", ""), ("192.168.10.91/32", "")]);
    let (resolved, warnings) = resolve(&singles, Side::First, &host());
    assert_eq!(resolved.vip_vifs, [[0, 0]]);
    assert_eq!(vifs(&resolved), ["eth0 2 192.168.10.1"]);
    assert!(matches!(warnings[1], Warning::CountedTogether { .. }));
    let (resolved, _) = resolve(&singles, Side::First, &Host::default());
    assert_eq!(resolved.vip_vifs, [[0, 1]]);
    assert_eq!(vifs(&resolved), ["? ? ", "? ? "]);
}

#[test]
fn each_vip_interface_has_its_own_gateways() {
    let text = BASE.replace("addresses = [\"192.168.10.1\"]", "");
    let text = text
        + "[[group.resource]]\nvip = \"10.1.1.80/24\"\n[[group.resource]]\nvip = \"2001:db8::80/64\"\n";
    let mut host = host();
    host.interfaces[2].addresses.push(net("2001:db8::1/64"));
    host.default_gateways = vec![
        (2, ip("192.168.10.254")),
        (2, ip("fe80::fe")),
        (3, ip("10.1.1.254")),
        (3, ip("10.1.1.254")),
        (3, ip("fe80::fe")),
    ];
    let (resolved, _) = resolve(&config(&text), Side::First, &host);
    assert_eq!(resolved.vip_vifs, [[0, 1, 1]]);
    assert_eq!(
        vifs(&resolved),
        ["eth0 2 192.168.10.254", "eth1 3 10.1.1.254 fe80::fe"]
    );

    // Named ones belong where they are neighbours; before the interface is there, by the VIP's network.
    let text = BASE.replace("[\"192.168.10.1\"]", "[\"192.168.10.1\", \"10.1.1.254\"]");
    let text = text + "[[group.resource]]\nvip = \"10.1.1.80/24\"\n";
    let (resolved, _) = resolve(&config(&text), Side::First, &host);
    assert_eq!(
        vifs(&resolved),
        ["eth0 2 192.168.10.1", "eth1 3 10.1.1.254"]
    );
    let (resolved, _) = resolve(&config(&text), Side::First, &Host::default());
    assert_eq!(vifs(&resolved), ["eth0 ? 192.168.10.1", "? ? 10.1.1.254"]);
}

#[test]
fn what_an_interface_lacks_is_told_by_the_family_of_its_vips() {
    let named =
        BASE.to_owned() + "[[group.resource]]\nvip = \"2001:db8::80/64\"\ninterface = \"eth0\"\n";
    let inferred = named.replace("interface = \"eth0\"", "");
    let six = |host: &mut Host| host.interfaces[1].addresses.push(net("2001:db8::81/64"));
    let off = changed(|host| {
        six(host);
        host.interfaces[1].ipv6 = Ipv6::Off;
    });
    let short =
        changed(|host| (host.interfaces[1].ipv6, host.interfaces[1].mtu) = (Ipv6::Absent, 1000));
    let bare = changed(|host| host.interfaces[1].addresses.clear());
    let of = |text: &str, host: &Host| {
        let (resolved, warnings) = resolve(&config(text), Side::First, host);
        let lacks: Vec<_> = resolved.vifs.iter().map(|vif| vif.lacks.clone()).collect();
        (lacks, told(&warnings))
    };
    let (lacks, _) = of(&inferred, &changed(six));
    assert_eq!(lacks, [[]]);
    let (lacks, told) = of(&named, &off);
    assert_eq!(lacks, [[(Family::V6, Lack::Ipv6)]]);
    let expected = "VIP 2001:db8::80/64 cannot be on eth0 now: IPv6 is off there, see net.ipv6.conf.*.disable_ipv6; the \
                    IPv4 VIPs of its group run without it, and it is added as soon as it can be";
    assert!(told.iter().any(|told| told == expected), "{told:?}");
    let (lacks, _) = of(&named, &short);
    assert_eq!(lacks, [[(Family::V6, Lack::Mtu(1000))]]);
    // A gateway is asked from an own address; IPv6 has none here.
    let (lacks, _) = of(&named, &bare);
    assert_eq!(lacks, [[(Family::V4, Lack::OwnAddress)]]);
    let (lacks, _) = of(&named, &Host::default());
    let both = [Family::V4, Family::V6].map(|family| (family, Lack::Interface));
    assert_eq!(lacks, [both]);
}

/// A network manager sets an interface up anew: neither the VIPs' place nor what is pinged is another for that.
#[test]
fn what_was_found_is_not_forgotten_while_an_interface_is_set_up_anew() {
    const MINUTE: i64 = 60_000_000;
    let text = BASE.replace("interface = \"eth0\"", "");
    let inferred = text.replace("addresses = [\"192.168.10.1\"]", "");
    let bare = changed(|host| {
        host.interfaces[1].addresses.clear();
        host.default_gateways.clear();
    });
    let gone = changed(|host| {
        host.interfaces.remove(1);
        host.default_gateways.clear();
    });
    let moved = changed(|host| {
        let addresses = std::mem::take(&mut host.interfaces[1].addresses);
        host.interfaces[2].addresses = addresses;
        host.default_gateways = vec![(3, ip("192.168.10.1"))];
    });
    for text in [&text, &inferred] {
        let config = config(text);
        let mut known = Known::default();
        let mut seen = |host: &Host, at: i64| {
            let (resolved, _) = resolve_again(&config, Side::First, host, &mut known, Time(at));
            (vifs(&resolved).join(", "), known.forgets_at(Time(at)))
        };
        let there = "eth0 2 192.168.10.1".to_owned();
        assert_eq!(seen(&host(), 0), (there.clone(), None));
        let (found, forgets_at) = seen(&bare, 1_000);
        assert_eq!(found, there);
        // A gateway that is written is found by the VIP's network.
        let by_routes = text == &inferred;
        assert_eq!(forgets_at, by_routes.then_some(Time(MINUTE)));
        let (found, _) = seen(&gone, 2_000);
        assert_eq!(found, "eth0 ? 192.168.10.1");
        assert_eq!(seen(&host(), 3_000), (there, None));
        let (found, _) = seen(&bare, 3_000 + MINUTE);
        let forgotten = if by_routes {
            "eth0 2 "
        } else {
            "eth0 2 192.168.10.1"
        };
        assert_eq!(found, forgotten);
        let (found, _) = seen(&moved, 4_000 + MINUTE);
        assert_eq!(found, "eth1 3 192.168.10.1", "elsewhere for good");
    }
}

pub fn config(text: &str) -> Config {
    let path = Path::new("/etc/ha-appliance/ha.toml");
    parse_with_key_file(text, path, &generate_key_line([7; 32]))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// lb1: eth0 to the LAN, eth1 to the peer.
pub fn host() -> Host {
    machine("10.1.1.1/24", "192.168.10.81/24")
}

pub fn peer() -> Host {
    machine("10.1.1.2/24", "192.168.10.82/24")
}

fn changed(change: impl Fn(&mut Host)) -> Host {
    let mut host = host();
    change(&mut host);
    host
}

fn machine(interlink: &str, lan: &str) -> Host {
    Host {
        interfaces: vec![
            interface(1, "lo", "127.0.0.1/8"),
            interface(2, "eth0", lan),
            interface(3, "eth1", interlink),
        ],
        default_gateways: vec![(2, ip("192.168.10.1"))],
        nonlocal_bind: [false, false],
        ..Host::default()
    }
}

fn interface(index: u32, name: &str, address: &str) -> Interface {
    Interface {
        index,
        name: name.to_owned(),
        mac: [2, 0, 0, 0, 0, index as u8],
        up: true,
        carrier: true,
        operational: true,
        mtu: 1500,
        ipv6: Ipv6::Host,
        addresses: vec![net(address)],
        ..Interface::default()
    }
}

pub fn told(warnings: &[Warning]) -> Vec<String> {
    warnings.iter().map(ToString::to_string).collect()
}

/// "name index gateways", `?` for what is not known.
pub fn vifs(resolved: &Resolved) -> Vec<String> {
    let show = |vif: &ha_appliance::config::Vif| {
        let index = vif.index.map_or("?".to_owned(), |index| index.to_string());
        let gateways: Vec<_> = vif.gateways.iter().map(ToString::to_string).collect();
        format!(
            "{} {index} {}",
            vif.name.as_deref().unwrap_or("?"),
            gateways.join(" ")
        )
    };
    resolved.vifs.iter().map(show).collect()
}

pub fn net(text: &str) -> ipnet::IpNet {
    text.parse().unwrap()
}

pub fn ip(text: &str) -> std::net::IpAddr {
    text.parse().unwrap()
}

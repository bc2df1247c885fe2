//! What a file asks of a machine and cannot be there: each with its place, what is wrong and what to do.

use crate::BASE;
use crate::machine::{config, host, ip, net, peer, told, vifs};
use ha_appliance::agents::host::Host;
use ha_appliance::config::{Kind, Machine, UnitLook, misfits, resolve};
use ha_appliance::wire::heartbeat::Side;

/// "kind line:column what | what to do", each.
fn misfits_of(text: &str, side: Side, machine: &Machine) -> Vec<String> {
    let found = misfits(&config(text), side, machine);
    let found = found.iter().map(|misfit| {
        let place = misfit.mistake.place.as_ref().expect("a place");
        let kind = match misfit.kind {
            Kind::Harmful => "harmful",
            Kind::Wrong => "wrong",
            Kind::Unable => "unable",
            Kind::Risky => "risky",
        };
        let (what, help) = (&misfit.mistake.what, &misfit.mistake.help);
        format!("{kind} {}:{} {what} | {help}", place.line, place.column)
    });
    found.collect()
}

fn on(host: Host) -> Machine {
    Machine {
        host,
        ..Machine::default()
    }
}

const MOVES: &str = "a VIP moves between the nodes: choose an address that nobody has";

#[test]
fn what_fits_says_nothing() {
    assert_eq!(misfits_of(BASE, Side::First, &on(host())), [""; 0]);
    assert_eq!(misfits_of(BASE, Side::Second, &on(peer())), [""; 0]);
    assert_eq!(misfits_of(BASE, Side::First, &Machine::default()), [""; 0]);
}

#[test]
fn a_vip_is_nobody_s_address() {
    let eth0 = |addresses: &[&str]| {
        let mut host = host();
        host.interfaces[1].addresses = addresses.iter().map(|a| net(a)).collect();
        host
    };
    // Only the interlink is a link: so nothing in the file says whose 192.168.10.80 is.
    let text = BASE
        .replace(", \"192.168.10.81\"", "")
        .replace(", \"192.168.10.82\"", "");
    let own = |net: &str| {
        format!(
            "harmful 22:7 VIP 192.168.10.80 is an address of this machine ({net} on eth0) | {MOVES}"
        )
    };
    let cases: [(Host, Vec<String>); 7] = [
        (eth0(&["192.168.10.80/24"]), vec![own("192.168.10.80/24")]),
        // Beside the machine's own it is a VIP that somebody configured, which is a warning.
        (eth0(&["192.168.10.81/24", "192.168.10.80/24"]), vec![]),
        (eth0(&["192.168.10.81/24", "192.168.10.80/32"]), vec![]),
        // Hosters give single addresses.
        (eth0(&["192.168.10.80/32"]), vec![own("192.168.10.80/32")]),
        (eth0(&["203.0.113.5/32", "192.168.10.80/32"]), vec![]),
        // As this daemon installs it, beside nothing.
        (
            Host {
                deprecated: vec![ip("192.168.10.80")],
                ..eth0(&["192.168.10.80/32"])
            },
            vec![],
        ),
        (
            Host {
                default_gateways: vec![(2, ip("192.168.10.80"))],
                ..host()
            },
            vec![format!(
                "harmful 22:7 VIP 192.168.10.80 is the default gateway on eth0 | {MOVES}"
            )],
        ),
    ];
    for (host, expected) in cases {
        let shown = format!("{:?}", host.interfaces[1].addresses);
        assert_eq!(
            misfits_of(&text, Side::First, &on(host)),
            expected,
            "{shown}"
        );
    }
    let machine = Machine {
        peer: vec![ip("192.168.10.80")],
        ..on(host())
    };
    assert_eq!(
        misfits_of(&text, Side::First, &machine),
        [format!(
            "harmful 22:7 VIP 192.168.10.80 is an address of the peer | {MOVES}"
        )]
    );
}

#[test]
fn a_gateway_is_none_of_the_nodes() {
    let text = BASE
        .replace(", \"192.168.10.81\"", "")
        .replace(", \"192.168.10.82\"", "");
    let text = text.replace(
        "[\"192.168.10.1\"]",
        "[\"192.168.10.1\", \"192.168.10.81\", \"192.168.10.82\"]",
    );
    let machine = Machine {
        peer: vec![ip("192.168.10.82")],
        ..on(host())
    };
    let help = "name something that answers only while the LAN works: the router, or the switch";
    assert_eq!(
        misfits_of(&text, Side::First, &machine),
        [
            format!(
                "wrong 15:30 gateway 192.168.10.81 is an address of this machine (on eth0) | {help}"
            ),
            format!("wrong 15:47 gateway 192.168.10.82 is an address of the peer | {help}"),
        ]
    );
}

#[test]
fn links_do_not_cross() {
    let text = BASE.replace(
        "[\"10.1.1.2\", \"192.168.10.82\"]",
        "[\"192.168.10.82\", \"10.1.1.2\"]",
    );
    let help = "the i-th link of one talks to the i-th of the other: write both in one order";
    assert_eq!(
        misfits_of(&text, Side::First, &on(host())),
        [
            format!(
                "wrong 12:10 link 1 joins 10.1.1.1 of lb1 to 192.168.10.82 of lb2, which is in another network: \
                 10.1.1.0/24 on eth1 holds its link 2, 10.1.1.2 | {help}"
            ),
            format!(
                "wrong 12:27 link 2 joins 192.168.10.81 of lb1 to 10.1.1.2 of lb2, which is in another network: \
                 192.168.10.0/24 on eth0 holds its link 1, 192.168.10.82 | {help}"
            )
        ]
    );
    let [on_the_peer, _] = &misfits_of(&text, Side::Second, &on(peer()))[..] else {
        panic!("two");
    };
    assert!(
        on_the_peer.starts_with("wrong 10:10 link 1 joins 192.168.10.82 of lb2"),
        "{on_the_peer}"
    );
    // Where networks cannot be seen, nothing is said.
    let mut single = host();
    single.interfaces[2].addresses = vec![net("10.1.1.1/32")];
    single.interfaces[1].addresses = vec![net("192.168.10.81/32")];
    assert_eq!(misfits_of(&text, Side::First, &on(single)), [""; 0]);
}

#[test]
fn a_link_that_needs_a_router_or_a_loose_filter_is_a_warning() {
    let text = BASE.replace("10.1.1.2", "10.1.2.2");
    let (_, warnings) = resolve(&config(&text), Side::First, &host());
    assert_eq!(
        told(&warnings)[1..],
        [
            "link 10.1.1.1 to 10.1.2.2: 10.1.2.2 is outside the network 10.1.1.0/24, so a router carries it, and its \
             silence is taken for the peer's"
        ]
    );
    let text = BASE
        .replace("192.168.10.81", "10.1.1.11")
        .replace("192.168.10.82", "10.1.1.12");
    let mut host = host();
    host.interfaces[1].addresses.push(net("10.1.1.11/24"));
    let filtered = |strict: &[u32]| {
        let host = Host {
            strict: strict.to_vec(),
            ..host.clone()
        };
        let (_, warnings) = resolve(&config(&text), Side::First, &host);
        let told = told(&warnings).into_iter();
        told.filter(|text| text.contains("rp_filter"))
            .collect::<Vec<_>>()
    };
    assert_eq!(filtered(&[]), [""; 0]);
    assert_eq!(
        filtered(&[3]),
        [
            "link 10.1.1.1 is on eth1, and eth0 is in its network 10.1.1.0/24 as well: the kernel drops there what it \
             would answer through the other one; set net.ipv4.conf.eth1.rp_filter = 2, which is 1 here, or give each \
             link a network of its own"
        ]
    );
    assert_eq!(filtered(&[2, 3]).len(), 2);
}

#[test]
fn a_named_gateway_is_asked_wherever_the_default_one_is() {
    let text = BASE
        .replace("/24", "/32")
        .replace("192.168.10.1\"", "10.0.0.1\"");
    let mut hosters = host();
    hosters.interfaces[1].addresses = vec![net("192.168.10.81/32")];
    hosters.default_gateways = vec![];
    let asked = |host: &Host| {
        let (resolved, warnings) = resolve(&config(&text), Side::First, host);
        let off = told(&warnings)
            .iter()
            .any(|text| text.contains("it is not pinged"));
        (vifs(&resolved).join(" "), off)
    };
    assert_eq!(asked(&hosters), ("eth0 2 ".into(), true));
    let default = Host {
        default_gateways: vec![(2, ip("10.0.0.1"))],
        ..hosters.clone()
    };
    assert_eq!(asked(&default), ("eth0 2 10.0.0.1".into(), false));
    let route = |index, to| Host {
        on_link: vec![(index, net(to))],
        ..hosters.clone()
    };
    assert_eq!(
        asked(&route(2, "10.0.0.1/32")),
        ("eth0 2 10.0.0.1".into(), false)
    );
    assert_eq!(asked(&route(3, "10.0.0.1/32")), ("eth0 2 ".into(), true));
    assert_eq!(asked(&route(2, "10.0.0.2/32")), ("eth0 2 ".into(), true));
}

#[test]
fn what_runs_as_root_is_changed_by_root_alone() {
    let text = two_groups().replace(
        "key_file = \"key\"",
        "key_file = \"key\"\nnotify = \"/usr/bin/tell\"",
    );
    assert_eq!(
        config(&text).programs_of_root(),
        ["/usr/bin/tell", "/usr/bin/is-well"]
    );
    let as_others = text.replace("\"db\"] }", "\"db\"], user = \"nginx\" }");
    assert_eq!(config(&as_others).programs_of_root(), ["/usr/bin/tell"]);
    let machine = Machine {
        risky: [(
            "/usr/bin/tell".to_owned(),
            "belongs to user 1000".to_owned(),
        )]
        .into(),
        ..on(host())
    };
    assert_eq!(
        misfits_of(&text, Side::First, &machine),
        [
            "risky 4:10 /usr/bin/tell runs as root and belongs to user 1000: whoever changes it is root | chown root \
             /usr/bin/tell; chmod go-w /usr/bin/tell; or let it run as another user"
        ]
    );
}

/// Two groups, a service each.
fn two_groups() -> String {
    BASE.to_owned()
        + "[[group.resource]]\nservice = \"mariadb\"\n[[group]]\nname = \"db\"\n[[group.resource]]\n\
           service = \"mysql\"\ncheck = { exec = [\"/usr/bin/is-well\", \"db\"] }\n"
}

fn look(id: &str) -> UnitLook {
    UnitLook {
        id: id.into(),
        unfit: None,
        conflicts: Vec::new(),
    }
}

/// A machine that has mariadb, and what it finds of mysql.
fn beside_mariadb(mysql: UnitLook) -> Machine {
    Machine {
        units: [
            ("mariadb.service".into(), look("mariadb.service")),
            ("mysql.service".into(), mysql),
        ]
        .into(),
        ..on(host())
    }
}

#[test]
fn a_unit_stands_once_whatever_it_is_called() {
    let told = |mysql| misfits_of(&two_groups(), Side::First, &beside_mariadb(mysql));
    assert_eq!(told(look("mysql.service")), [""; 0]);
    assert_eq!(
        told(look("mariadb.service")),
        [
            "wrong 29:11 mysql.service and mariadb.service (group `web`, line 25:11) are one unit, mariadb.service, \
             under two names | a unit stands once: delete one of the two"
        ]
    );
    assert_eq!(
        told(look("systemd-networkd.service")),
        [
            "wrong 29:11 mysql.service is systemd-networkd.service under another name, and systemd-networkd.service \
             is needed by the machine itself on both nodes | name what clients use, and the other node can do as well"
        ]
    );
    let unfit = UnitLook {
        unfit: Some("mysql.service is masked on this node: systemctl unmask mysql.service".into()),
        ..look("mysql.service")
    };
    assert_eq!(
        told(unfit),
        ["unable 29:11 mysql.service is masked on this node | systemctl unmask mysql.service"]
    );
}

#[test]
fn units_can_run_side_by_side() {
    let conflicts = |of: &str| UnitLook {
        conflicts: vec!["shutdown.target".into(), of.into()],
        ..look("mysql.service")
    };
    let told = |of| misfits_of(&two_groups(), Side::First, &beside_mariadb(conflicts(of)));
    assert_eq!(told("other.service"), [""; 0]);
    assert_eq!(
        told("mariadb.service"),
        [
            "wrong 29:11 mysql.service and mariadb.service cannot both run on one node: systemd stops mariadb.service \
             when it starts mysql.service | delete one of the two, or take Conflicts=mariadb.service out of \
             mysql.service"
        ]
    );
}

#[test]
fn programs_are_there() {
    let text = two_groups().replace(
        "key_file = \"key\"",
        "key_file = \"key\"\nnotify = \"/usr/bin/tell\"",
    );
    assert_eq!(
        config(&text).programs(),
        ["/usr/bin/is-well", "/usr/bin/tell"]
    );
    let machine = Machine {
        programs: [
            (
                "/usr/bin/is-well".to_owned(),
                "is not executable".to_owned(),
            ),
            ("/usr/bin/tell".to_owned(), "does not exist".to_owned()),
        ]
        .into(),
        ..on(host())
    };
    let help = "install it, or correct the path";
    assert_eq!(
        misfits_of(&text, Side::First, &machine),
        [
            format!("unable 31:19 /usr/bin/is-well is not executable | {help}"),
            format!("unable 4:10 /usr/bin/tell does not exist | {help}"),
        ]
    );
    let as_others = text.replace("\"db\"] }", "\"db\"], user = \"nginx\" }");
    let program = "/usr/bin/is-well".to_owned();
    let whose = [(program.clone(), "nginx".to_owned())];
    assert_eq!(config(&as_others).programs_of_others(), whose);
    let machine = Machine {
        closed: [(program, "cannot be run by nginx: it is closed".to_owned())].into(),
        ..on(host())
    };
    assert_eq!(
        misfits_of(&as_others, Side::First, &machine),
        [
            "unable 31:19 /usr/bin/is-well cannot be run by nginx: it is closed | put it where that user may run it, or \
             open the way to it"
        ]
    );
}

#[test]
fn users_are_known() {
    let text = two_groups().replace(
        "key_file = \"key\"",
        "key_file = \"key\"\nnotify = \"/usr/bin/tell\"\nnotify_user = \"teller\"",
    );
    assert_eq!(config(&text).users(), ["teller"]);
    let machine = Machine {
        strangers: ["teller".to_owned()].into(),
        ..on(host())
    };
    assert_eq!(
        misfits_of(&text, Side::First, &machine),
        ["unable 5:15 there is no user teller | `useradd --system teller`, or correct the name"]
    );
}

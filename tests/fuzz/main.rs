//! Whatever reads foreign bytes, fed with damaged ones: captured inputs are changed at random, and no
//! reader may panic, hang, grow without bound or break what its target states.
//!
//! One target per kind of input (`targets`). Here each gets its corpus as it is and then a fixed
//! number of inputs made of it (`mutate`): `SEED=n` repeats a run, `INPUTS=n` makes so many of each.
//! `scripts/fuzz` feeds the same targets by libFuzzer, which sees what code an input reaches
//! (`guided`). The corpora hold real captures, and every input that ever failed: `failed-…`.

mod feed;
mod mutate;
#[path = "../simulator/rng.rs"]
#[allow(dead_code)] // the simulator uses all of it
mod rng;
mod targets;

/// One test per target, named as it.
macro_rules! feed {
    ($($name:ident: $inputs:literal,)*) => {
        $(#[test]
        fn $name() {
            feed::feed(stringify!($name), targets::$name, $inputs);
        })*

        /// Each is also known to libFuzzer, by its name.
        #[test]
        fn every_target_is_named() {
            let names: Vec<_> = targets::ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

/// Damaged input is of use only if it was good before.
#[test]
fn what_was_captured_is_understood() {
    for bytes in feed::captured("heartbeat") {
        let heartbeat = targets::heard(&bytes).expect("a heartbeat");
        assert_eq!(heartbeat.groups.len(), 2);
    }
    for bytes in feed::captured("arp") {
        assert!(ha_appliance::wire::arp::parse(&bytes).is_some());
    }
    for bytes in feed::captured("ndp") {
        assert!(ha_appliance::wire::ndp::parse(&bytes).is_some());
    }
}

// So many that each takes about half a second without optimisation.
feed! {
    heartbeat: 40_000,
    arp: 200_000,
    ndp: 100_000,
    echo: 100_000,
    netlink: 30_000,
    config: 1_500,
    key: 15_000,
    state: 4_000,
    status: 5_000,
    history: 2_000,
    pid: 10_000,
    aside: 30,
    order: 200_000,
    supervisor: 40_000,
    systemctl: 6_000,
    http: 6_000,
    words: 20_000,
    ipmi: 5_000,
}

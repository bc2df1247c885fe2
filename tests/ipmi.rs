//! The IPMI client against a BMC of our own with the field's misbehaviour, that BMC against ipmitool and
//! ipmipower, and the client against Debian's ipmi_sim.

mod bmc;
#[path = "bmc/sim.rs"]
mod sim;

use bmc::off::{self, Off, SETTLE};
use bmc::rng::Rng;
use bmc::{OffWay, PASSWORD, TestBmc, USER};
use ha_appliance::agents::fence::ipmi::packet::{self, Kind};
use ha_appliance::agents::fence::ipmi::suite::{Keys, Suite};
use ha_appliance::agents::fence::ipmi::{Account, Bmc, Chassis, Failure, Line, Privilege, Restore};
use ha_appliance::core::event::Ask;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

fn client(bmc: &TestBmc) -> Bmc {
    Bmc::new(account(bmc.address, USER, PASSWORD))
}

fn account(address: SocketAddr, user: &str, password: &str) -> Account {
    Account {
        address,
        user: user.into(),
        password: password.into(),
        kg: None,
        privilege: Privilege::Operator,
        suite: None,
    }
}

fn status(client: &Bmc) -> Result<Chassis, Failure> {
    status_within(client, LONG)
}

/// In a session of its own.
fn status_within(client: &Bmc, within: Duration) -> Result<Chassis, Failure> {
    let mut line = Line::new(client);
    let status = smol::block_on(line.status(within));
    smol::block_on(line.close());
    status
}

fn switched_on(client: &Bmc) {
    let mut line = Line::new(client);
    smol::block_on(line.on(LONG)).unwrap();
    smol::block_on(line.close());
}

/// None: it is on all the time.
fn off(client: &Bmc, within: Duration) -> Result<Option<Off>, Failure> {
    let mut line = Line::new(client);
    let came = off::off(
        |ask| match ask {
            Ask::Status => smol::block_on(line.status(within)).map(|it| !it.on && !it.fault),
            Ask::Off => smol::block_on(line.off(Instant::now() + LONG)).map(|_| true),
        },
        within,
    );
    smol::block_on(line.close());
    came
}

/// It goes off.
fn gone(client: &Bmc) -> Off {
    off(client, LONG).unwrap().expect("it goes off")
}

#[test]
fn both_suites_are_spoken_and_the_better_one_first() {
    for (suites, spoken) in [
        (vec![Suite::Three, Suite::Seventeen], Suite::Seventeen),
        (vec![Suite::Three], Suite::Three),
    ] {
        let bmc = TestBmc::start();
        bmc.state().suites = suites;
        let client = client(&bmc);
        let chassis = Chassis {
            on: true,
            fault: false,
            restore: Restore::On,
            mains_failed: false,
        };
        assert_eq!(status(&client).unwrap(), chassis);
        assert_eq!(client.spoken(), Some(spoken));
        assert_eq!(bmc.open_sessions(), 0);
        // What worked is remembered: nothing is probed again.
        let opened = bmc.state().opened;
        status(&client).unwrap();
        assert_eq!(bmc.state().opened, opened + 1);
    }
}

#[test]
fn a_suite_that_worked_and_is_refused_now_is_found_anew() {
    let bmc = TestBmc::start();
    bmc.state().suites = vec![Suite::Three];
    let client = client(&bmc);
    status(&client).unwrap();
    bmc.state().suites = vec![Suite::Seventeen];
    status(&client).unwrap();
    assert_eq!(client.spoken(), Some(Suite::Seventeen));
    bmc.state().suites = vec![];
    let failure = status(&client).unwrap_err();
    assert_eq!(failure.to_string(), "it refuses cipher suite 3 (11h)");
}

#[test]
fn every_failure_has_its_own_words() {
    type Spoil = fn(&TestBmc, &mut Account);
    let refusals: [(&str, Spoil); 8] = [
        (
            "wrong password; it has more than 16 bytes: was it set for 16 on the BMC?",
            |bmc, _| {
                bmc.state().password = PASSWORD.as_bytes()[..16].into();
            },
        ),
        ("wrong password", |_, account| {
            account.password = b"short".to_vec()
        }),
        ("it knows no such user (0dh)", |_, account| {
            account.user = "who".into()
        }),
        (
            "it refuses the privilege for this user (09h): raise the user's, or set `privilege`",
            |_, account| account.privilege = Privilege::Administrator,
        ),
        ("it refuses cipher suite 17 (11h)", |bmc, account| {
            bmc.state().suites = vec![Suite::Three];
            account.suite = Some(Suite::Seventeen);
        }),
        ("Get Chassis Status was refused with d1h", |bmc, _| {
            bmc.state().codes = vec![0, 0xd1];
        }),
        (
            "the user may not switch power (d4h): it needs the privilege operator",
            |bmc, _| bmc.state().codes = vec![0, 0xd4],
        ),
        (
            "no session: RAKP 3 (its key `kg` is another) was answered with status 00h",
            |bmc, _| bmc.state().kg = Some(b"its own".to_vec()),
        ),
    ];
    for (words, spoil) in refusals {
        let bmc = TestBmc::start();
        let mut account = account(bmc.address, USER, PASSWORD);
        spoil(&bmc, &mut account);
        assert_eq!(status(&Bmc::new(account)).unwrap_err().to_string(), words);
    }
}

#[test]
fn a_key_of_the_bmcs_own_is_used() {
    let bmc = TestBmc::start();
    bmc.state().kg = Some(b"its own".to_vec());
    let mut account = account(bmc.address, USER, PASSWORD);
    account.kg = Some(b"its own".to_vec());
    assert!(status(&Bmc::new(account)).unwrap().on);
}

#[test]
fn a_bmc_that_hashes_another_role_is_understood_once_and_for_all() {
    let bmc = TestBmc::start();
    bmc.state().hashes_open_session = true;
    let client = client(&bmc);
    status(&client).unwrap();
    let opened = bmc.state().opened;
    status(&client).unwrap();
    assert_eq!(bmc.state().opened, opened + 1);
}

#[test]
fn nobody_there_is_known_in_five_seconds_and_half_a_bmc_at_the_deadline() {
    let bmc = TestBmc::start();
    bmc.state().dies_after = Some(0);
    let began = Instant::now();
    assert!(matches!(status(&client(&bmc)), Err(Failure::NoReply)));
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    let bmc = TestBmc::start();
    bmc.state().dies_after = Some(4);
    let within = Duration::from_secs(7);
    let failure = status_within(&client(&bmc), within).unwrap_err();
    assert!(matches!(failure, Failure::Silent { .. }), "{failure}");
}

#[test]
fn all_sessions_taken_is_waited_out() {
    let bmc = TestBmc::start();
    bmc.state().slots = 0;
    let within = Duration::from_secs(2);
    let failure = status_within(&client(&bmc), within).unwrap_err();
    assert!(matches!(failure, Failure::NoFreeSession), "{failure}");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(1500));
            bmc.state().slots = 1;
        });
        assert!(status(&client(&bmc)).unwrap().on);
    });
}

#[test]
fn doubled_and_strange_packets_and_wrong_checksums_change_nothing() {
    let bmc = TestBmc::start();
    {
        let mut state = bmc.state();
        (state.doubles, state.strays, state.wrong_checksums) = (true, true, true);
    }
    gone(&client(&bmc));
    assert_eq!(bmc.state().switched, [0]);
    assert_eq!(bmc.open_sessions(), 0);
}

#[test]
fn nothing_is_done_twice_where_three_packets_in_ten_are_lost() {
    for seed in 1..3 {
        let bmc = TestBmc::start();
        bmc.state().loss = 30;
        bmc.state().slots = 64;
        bmc.state().dice = Rng::new(seed);
        // In one of two hundred cases the first sixteen packets are lost.
        let gone = (0..5).find_map(|_| match off(&client(&bmc), LONG) {
            Err(Failure::NoReply) => None,
            gone => gone.unwrap(),
        });
        let gone = gone.expect("it is reached");
        assert!(gone.accepted.is_some() && gone.verified >= gone.first + SETTLE);
        let state = bmc.state();
        assert!(!state.on);
        // Once, and again if the first one's answer was lost with the session.
        let switched = &state.switched;
        assert!(switched.len() <= 2 && switched.iter().all(|to| *to == 0));
    }
}

#[test]
fn a_machine_that_is_off_is_sent_nothing() {
    let bmc = TestBmc::start();
    bmc.state().on = false;
    let gone = gone(&client(&bmc));
    assert_eq!(gone.accepted, None);
    assert!(gone.verified >= gone.first + SETTLE);
    assert!(bmc.state().switched.is_empty());
}

#[test]
fn off_is_what_is_read_twice_and_not_what_is_accepted() {
    for (way, sent) in [
        (OffWay::After(Duration::ZERO), 1),
        (OffWay::After(Duration::from_secs(2)), 1),
        (OffWay::NotTwice, 1),
        (OffWay::Second, 2),
        (OffWay::Blink(Duration::from_millis(150)), 2),
    ] {
        let bmc = TestBmc::start();
        bmc.state().off = way;
        let gone = gone(&client(&bmc));
        assert!(!bmc.state().on);
        assert_eq!(bmc.state().switched, vec![0; sent]);
        assert!(gone.verified >= gone.first + SETTLE && Some(gone.first) >= gone.accepted);
    }
}

#[test]
fn accepted_and_still_on_is_not_off_nor_is_a_fault() {
    let bmc = TestBmc::start();
    bmc.state().off = OffWay::Never;
    assert!(
        off(&client(&bmc), Duration::from_secs(6))
            .unwrap()
            .is_none()
    );
    assert_eq!(bmc.state().switched, [0, 0], "again after five seconds");
    let bmc = TestBmc::start();
    bmc.state().fault = true;
    assert!(
        off(&client(&bmc), Duration::from_secs(2))
            .unwrap()
            .is_none()
    );
}

/// Somebody on the way keeps an answer that says off, and says it again.
#[test]
fn an_answer_said_again_is_no_reading() {
    let bmc = TestBmc::start();
    {
        let mut state = bmc.state();
        (state.on, state.repeats_first) = (false, true);
    }
    let failure = off(&client(&bmc), Duration::from_secs(8)).unwrap_err();
    assert!(matches!(failure, Failure::Silent { .. }), "{failure}");
}

#[test]
fn a_busy_bmc_is_asked_again() {
    let bmc = TestBmc::start();
    bmc.state().codes = vec![0, 0xc0, 0xc3, 0xcf];
    assert!(status(&client(&bmc)).unwrap().on);
}

#[test]
fn probes_whose_end_nobody_answers_leave_no_session() {
    let bmc = TestBmc::start();
    bmc.state().close_unanswered = true;
    let client = client(&bmc);
    for _ in 0..10 {
        status(&client).unwrap();
        assert_eq!(bmc.open_sessions(), 0);
    }
}

#[test]
fn it_is_switched_on_again() {
    let bmc = TestBmc::start();
    bmc.state().on = false;
    switched_on(&client(&bmc));
    assert!(bmc.state().on);
    assert_eq!(bmc.state().switched, [1]);
}

/// Debian's BMC, with a file for a machine.
#[test]
fn debians_ipmi_sim_is_switched_off_and_on() {
    let Some(sim) = sim::Sim::start() else {
        println!("skipped: ipmi_sim is not installed");
        return;
    };
    let client = Bmc::new(account(sim.address, USER, "secret#1"));
    assert!(status(&client).unwrap().on);
    assert_eq!(client.spoken(), Some(Suite::Three), "it has no other");
    let gone = gone(&client);
    assert!(gone.accepted.is_some() && !sim.is_on());
    assert!(!status(&client).unwrap().on);
    switched_on(&client);
    assert!(sim.is_on());
    let wrong = Bmc::new(account(sim.address, USER, "secret#2"));
    assert_eq!(status(&wrong).unwrap_err().to_string(), "wrong password");
    let stranger = Bmc::new(account(sim.address, "who", "secret#1"));
    let words = "it knows no such user (0dh)";
    assert_eq!(status(&stranger).unwrap_err().to_string(), words);
}

/// Without `settle`, which is ours, our off is not slower than the agent that it takes the place of.
#[test]
fn ipmi_sim_is_off_sooner_than_by_fence_ipmilan() {
    let Some(sim) = sim::Sim::start().filter(|_| installed("fence_ipmilan")) else {
        println!("skipped: ipmi_sim or fence_ipmilan is not installed");
        return;
    };
    let client = Bmc::new(account(sim.address, USER, "secret#1"));
    let gone = gone(&client);
    let first = gone.first;
    switched_on(&client);
    let (host, port) = (sim.address.ip().to_string(), sim.address.port().to_string());
    let mut agent = Command::new("fence_ipmilan");
    agent.args(["-P", "-C", "3", "-L", "operator", "-a", &host, "-u", &port]);
    let began = Instant::now();
    said(agent.args(["-l", USER, "-p", "secret#1", "-o", "off"]));
    let by_agent = began.elapsed();
    assert!(!sim.is_on());
    println!("off: {first:?} by our client, {by_agent:?} by fence_ipmilan");
    assert!(first < by_agent, "{first:?} and {by_agent:?}");
}

/// That the BMC of these tests is one, by others' word. (`scripts/test` installs them.)
#[test]
fn ipmitool_and_ipmipower_take_the_test_bmc_for_one() {
    for suite in ["3", "17"] {
        let bmc = TestBmc::start();
        let (host, port) = (bmc.address.ip().to_string(), bmc.address.port().to_string());
        let ipmitool = |what: &str| {
            let mut tool = Command::new("ipmitool");
            tool.args(["-I", "lanplus", "-C", suite, "-H", &host, "-p", &port]);
            tool.args(["-U", USER, "-P", PASSWORD, "-L", "OPERATOR"]);
            said(tool.args(["chassis", "power", what]))
        };
        let ipmipower = |what: &str| {
            let mut tool = Command::new("ipmipower");
            let address = bmc.address.to_string();
            tool.args([
                "-D", "LAN_2_0", "-I", suite, "-l", "OPERATOR", "-h", &address,
            ]);
            said(tool.args(["-u", USER, "-p", PASSWORD, what]))
        };
        if installed("ipmitool") {
            assert_eq!(ipmitool("status"), "Chassis Power is on");
            ipmitool("off");
            assert_eq!(ipmitool("status"), "Chassis Power is off");
            assert_eq!(bmc.state().switched, [0]);
            bmc.state().on = true;
        }
        if installed("ipmipower") {
            assert!(ipmipower("--stat").ends_with(": on"));
            assert!(ipmipower("--off").ends_with(": ok"));
            assert!(ipmipower("--stat").ends_with(": off"));
        }
        assert_eq!(bmc.open_sessions(), 0);
    }
}

fn said(tool: &mut Command) -> String {
    let output = tool.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What ipmitool and ipmi_sim said to each other, with known passwords: everything that proves something proves
/// it, and what is sealed opens.
#[test]
fn a_capture_of_ipmitool_and_ipmi_sim_is_understood() {
    let capture = include_str!("bmc/captures/ipmitool-ipmi_sim-3.txt");
    let packets: Vec<Vec<u8>> = capture.lines().map(bytes).collect();
    let set_up = |kind: u8| {
        let read = |packet: &Vec<u8>| packet::read(packet, None);
        let mut all = packets.iter().filter_map(read);
        let found = all.find(|p| p.kind == Kind::SetUp(kind));
        found.expect("it is there").payload
    };
    let (suite, password) = (Suite::Three, b"operator#pw");
    let (opened, rakp1) = (set_up(0x11), set_up(0x12));
    let (rakp2, rakp3, rakp4) = (set_up(0x13), set_up(0x14), set_up(0x15));
    let (console, bmc) = (&opened[4..8], &opened[8..12]);
    let (rc, rm, guid) = (&rakp1[8..24], &rakp2[8..24], &rakp2[24..40]);
    let who = [&rakp1[24..25], &rakp1[27..]].concat();
    let proof = suite.hash(password, &[console, bmc, rc, rm, guid, &who]);
    assert_eq!(rakp2[40..], proof);
    assert_eq!(rakp3[8..], suite.hash(password, &[rm, console, &who]));
    let sik = suite.hash(password, &[rc, rm, &who]);
    assert_eq!(rakp4[8..], suite.hash(&sik, &[rc, bmc, guid])[..12]);
    let keys = Keys::of(suite, &sik);
    let sealed = packets.iter().filter_map(|p| packet::read(p, Some(&keys)));
    let sealed = sealed.filter(|p| p.kind == Kind::Ipmi);
    let messages = sealed.map(|p| packet::read_message(&p.payload).unwrap());
    let messages: Vec<_> = messages.collect();
    assert_eq!(messages.len(), 14, "all of them");
    assert!(messages.iter().all(|m| !m.damaged));
    let commands = messages.iter().map(|m| (m.netfn, m.command));
    let commands: Vec<_> = commands.collect();
    for wanted in [(0x06, 0x3b), (0x00, 0x01), (0x01, 0x01), (0x06, 0x3c)] {
        assert!(commands.contains(&wanted), "{wanted:?} in {commands:?}");
    }
    // And a bit less of any packet is none.
    for packet in &packets {
        for length in 0..packet.len() {
            let cut = packet::read(&packet[..length], Some(&keys));
            assert!(cut.is_none_or(|p| p.kind != Kind::Ipmi));
        }
    }
}

fn bytes(line: &str) -> Vec<u8> {
    let digits = &line.as_bytes()[2..];
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
    digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
}

fn installed(program: &str) -> bool {
    let mut shell = Command::new("sh");
    let found = shell.args(["-c", "command -v \"$0\" >/dev/null", program]);
    found.status().is_ok_and(|status| status.success())
}

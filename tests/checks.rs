//! Whether a check tells what a service does from what this machine does to the question; as root, since it is done in
//! network namespaces.

use ha_appliance::agents::check::{self, Bad};
use ha_appliance::agents::program::Programs;
use ha_appliance::agents::trouble::Trouble;
use ha_appliance::config::Probe;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// In a network namespace of its own, as root, with nothing in it but `lo`, which is up.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let run = || {
        // SAFETY: changes this thread's namespace only, and the thread ends with the work.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "as root");
        sh("ip link set lo up");
        work()
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

fn sh(line: &str) {
    let status = Command::new("sh").args(["-c", line]).status();
    assert!(status.unwrap().success(), "{line}");
}

/// What a connection to an address of `lo` comes to while that is so, with somebody who listens there, or nobody.
fn while_it_is_so(line: &str, listens: bool) -> Result<(), Bad> {
    apart(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let _listener = listens.then_some(listener);
        sh(line);
        ask(address)
    })
}

#[test]
fn what_this_machine_keeps_from_arriving_is_not_asked() {
    let filter = |hook: &str, verdict: &str| {
        format!(
            "nft add table ip t && nft 'add chain ip t c {{ type filter hook {hook} priority 0; }}' && \
             nft add rule ip t c meta l4proto tcp {verdict}"
        )
    };
    for lost in [
        "ip link set lo down".to_owned(),
        filter("output", "drop"),
        filter("input", "drop"),
    ] {
        let answer = while_it_is_so(&lost, true);
        let Err(Bad::Unasked(Trouble(why))) = &answer else {
            panic!("{lost}: {answer:?}");
        };
        assert!(why.contains("loses its own packets"), "{lost}: {why}");
        let answer = while_it_is_so(&lost, false);
        assert!(matches!(answer, Err(Bad::Failed(_))), "{lost}: {answer:?}");
    }
    for (no_way, says) in [
        (
            "ip addr del 127.0.0.1/8 dev lo".to_owned(),
            "network is unreachable",
        ),
        (
            filter("output", "reject with icmp type admin-prohibited"),
            "no route to host",
        ),
    ] {
        let answer = while_it_is_so(&no_way, true);
        let Err(Bad::Unasked(Trouble(why))) = &answer else {
            panic!("{no_way}: {answer:?}");
        };
        assert!(why.ends_with(says), "{no_way}: {why}");
    }
}

#[test]
fn whoever_takes_no_connection_any_more_is_given_up() {
    apart(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // The standard library's is 128 long.
        let one = Duration::from_millis(20);
        let waiting = (0..200).map_while(|_| TcpStream::connect_timeout(&address, one).ok());
        let waiting: Vec<TcpStream> = waiting.collect();
        assert!(waiting.len() < 200, "nobody waits for ever");
        let answer = ask(address);
        assert!(matches!(answer, Err(Bad::Failed(_))), "{answer:?}");
    });
}

fn ask(address: SocketAddr) -> Result<(), Bad> {
    let programs = Programs::here(Path::new("/no/such"));
    let limit = Duration::from_millis(200);
    smol::block_on(check::ask(&Probe::Tcp(address), limit, &programs))
}

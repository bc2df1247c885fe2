//! Whether a running service serves: asked by HTTP, by TCP or by a program.

mod exec;
mod http;
mod local;

use super::program::Programs;
use super::trouble::{self, Trouble};
use crate::config::Probe;
use smol::future::FutureExt;
use smol::{Async, Timer};
use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Why a check is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// The answer is bad, or there is none in time.
    Failed(String),
    /// This machine could not ask: that says nothing about the service.
    Unasked(Trouble),
}

/// Asks once. An error says whom, and what was wrong with the answer.
pub async fn ask(probe: &Probe, timeout: Duration, programs: &Programs) -> Result<(), Bad> {
    let answer = match probe {
        Probe::Http {
            address,
            host,
            path,
            status,
            body,
        } => {
            let good = http::Good {
                status: *status,
                body: body.as_deref(),
            };
            let get = async |stream| http::get(stream, host, path, &good).await;
            connected(*address, timeout, get).await
        }
        Probe::Tcp(address) => connected(*address, timeout, async |_| Ok(())).await,
        // It has a limit of its own, from when it runs.
        Probe::Exec(program) => exec::run(programs, program, timeout).await,
    };
    let name = name(probe);
    answer.map_err(|bad| match bad {
        Bad::Failed(why) => Bad::Failed(format!("{name}: {why}")),
        Bad::Unasked(why) => Bad::Unasked(Trouble(format!("{name}: {why}"))),
    })
}

/// Asks by a connection, which takes no longer than that in all.
async fn connected(
    address: SocketAddr,
    timeout: Duration,
    ask: impl AsyncFnOnce(Async<TcpStream>) -> Result<(), Bad>,
) -> Result<(), Bad> {
    let open = Cell::new(false);
    let answer = async {
        let stream = Async::<TcpStream>::connect(address).await;
        let stream = stream.map_err(|error| not_connected(&error, address))?;
        open.set(true);
        ask(stream).await
    };
    let late = async {
        waited(timeout).await;
        Err(match !open.get() && is_lost_here(address) {
            true => Bad::Unasked(Trouble(LOST.into())),
            false => Bad::Failed(format!("no answer within {} s", timeout.as_secs_f32())),
        })
    };
    answer.or(late).await
}

const LOST: &str = "a program listens there, and this machine loses its own packets to it: see `nft list ruleset`, \
                    and whether lo is up";

/// No answer to a connection that the kernel would have accepted.
fn is_lost_here(address: SocketAddr) -> bool {
    local::is_here(address.ip()) && local::is_accepted(address)
}

/// After so long. Whoever stood still meanwhile, as a paused machine does, has not waited for an answer that long,
/// and waits once more.
async fn waited(timeout: Duration) {
    let begun = Instant::now();
    Timer::after(timeout).await;
    if begun.elapsed() > timeout + STOOD_STILL {
        Timer::after(timeout).await;
    }
}

/// So late nobody is who only has much to do.
const STOOD_STILL: Duration = Duration::from_millis(250);

/// Why there is no connection. Who serves badly may refuse it; that there is no way to it says nothing of him, nor does
/// "no route to host" of an address that is here, by which a filter refuses.
fn not_connected(error: &io::Error, address: SocketAddr) -> Bad {
    let no_way = match error.raw_os_error() {
        Some(libc::ENETUNREACH | libc::ENETDOWN | libc::EINVAL) => true,
        Some(libc::EHOSTUNREACH) => local::is_here(address.ip()),
        _ => false,
    };
    match no_way {
        true => Bad::Unasked(Trouble(trouble::words(error))),
        false => bad(error),
    }
}

/// What the end of a connection says.
fn bad(error: &io::Error) -> Bad {
    match trouble::is_own(error) {
        true => Bad::Unasked(Trouble(trouble::words(error))),
        false => Bad::Failed(trouble::words(error)),
    }
}

/// What the bytes of an answer so far mean; none: more are needed. A door for tests/fuzz alone.
#[doc(hidden)]
pub fn judge_http(
    answer: &[u8],
    ended: bool,
    status: Option<u16>,
    body: Option<&str>,
) -> Option<Result<(), String>> {
    http::judge(answer, ended, &http::Good { status, body })
}

/// What is asked, for people.
pub fn name(probe: &Probe) -> String {
    match probe {
        Probe::Http { host, path, .. } => format!("http://{host}{path}"),
        Probe::Tcp(address) => format!("tcp {address}"),
        Probe::Exec(program) => program.words.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::path::Path;

    const SECOND: Duration = Duration::from_secs(1);

    fn ask_now(probe: &Probe, timeout: Duration) -> Result<(), Bad> {
        let programs = Programs::here(Path::new("/no/such"));
        smol::block_on(ask(probe, timeout, &programs))
    }

    #[test]
    fn an_accepted_connection_is_good_and_a_refused_one_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(ask_now(&Probe::Tcp(address), SECOND), Ok(()));
        let nobody: SocketAddr = "127.9.9.9:1".parse().unwrap();
        assert_eq!(
            ask_now(&Probe::Tcp(nobody), SECOND),
            Err(Bad::Failed(format!("tcp {nobody}: connection refused")))
        );
    }

    #[test]
    fn whoever_accepts_and_is_silent_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let probe = Probe::Http {
            address,
            host: address.to_string(),
            path: "/health".into(),
            status: None,
            body: None,
        };
        let start = Instant::now();
        let result = ask_now(&probe, Duration::from_millis(200));
        let why = format!("http://{address}/health: no answer within 0.2 s");
        assert_eq!(result, Err(Bad::Failed(why)));
        assert!(start.elapsed() < SECOND);
    }

    #[test]
    fn who_stood_still_while_it_was_asked_has_not_waited() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        });
        let probe = Probe::Http {
            address,
            host: address.to_string(),
            path: "/".into(),
            status: None,
            body: None,
        };
        let programs = Programs::here(Path::new("/no/such"));
        let limit = Duration::from_millis(200);
        let still = async { std::thread::sleep(2 * limit + STOOD_STILL) };
        let asked = smol::future::zip(ask(&probe, limit, &programs), still);
        assert_eq!(smol::block_on(asked).0, Ok(()));
        server.join().unwrap();
    }
}

//! Whether a running service serves: asked by HTTP, by TCP or by a program.

mod exec;
mod http;

use super::program::Programs;
use super::trouble::{self, Trouble};
use crate::config::Probe;
use smol::future::{FutureExt, pending};
use smol::{Async, Timer};
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
    let answer = async {
        match probe {
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
                http::get(*address, host, path, &good).await
            }
            Probe::Tcp(address) => connect(*address).await.map(drop),
            // It has a limit of its own, from when it runs.
            Probe::Exec(program) => return exec::run(programs, program, timeout).await,
        }
    };
    let late = async {
        if let Probe::Exec(_) = probe {
            return pending().await;
        }
        waited(timeout).await;
        let text = format!("no answer within {} s", timeout.as_secs_f32());
        Err(Bad::Failed(text))
    };
    let name = name(probe);
    answer.or(late).await.map_err(|bad| match bad {
        Bad::Failed(why) => Bad::Failed(format!("{name}: {why}")),
        Bad::Unasked(why) => Bad::Unasked(Trouble(format!("{name}: {why}"))),
    })
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

async fn connect(address: SocketAddr) -> Result<Async<TcpStream>, Bad> {
    let stream = Async::<TcpStream>::connect(address).await;
    stream.map_err(bad)
}

/// What the end of a connection says.
fn bad(error: std::io::Error) -> Bad {
    match trouble::is_own(&error) {
        true => Bad::Unasked(Trouble(trouble::words(&error))),
        false => Bad::Failed(trouble::words(&error)),
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

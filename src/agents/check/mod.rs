//! Whether a running service serves: asked by HTTP, by TCP or by a program.

mod exec;
mod http;

use crate::config::Probe;
use smol::future::FutureExt;
use smol::{Async, Timer};
use std::fmt::Display;
use std::net::TcpStream;
use std::time::Duration;

/// Asks once. An error says whom, and what was wrong with the answer.
pub async fn ask(probe: &Probe, timeout: Duration) -> Result<(), String> {
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
            Probe::Tcp(address) => match Async::<TcpStream>::connect(*address).await {
                Ok(_) => Ok(()),
                Err(error) => Err(refusal(&error)),
            },
            Probe::Exec(words) => exec::run(words, timeout).await,
        }
    };
    let late = async {
        Timer::after(timeout).await;
        Err(format!("no answer within {} s", timeout.as_secs_f32()))
    };
    let result = answer.or(late).await;
    result.map_err(|why| format!("{}: {why}", name(probe)))
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
        Probe::Exec(words) => words.join(" "),
    }
}

/// Without the number that Rust adds.
fn refusal(error: &(impl Display + ?Sized)) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpListener};
    use std::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_accepted_connection_is_good_and_a_refused_one_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(smol::block_on(ask(&Probe::Tcp(address), SECOND)), Ok(()));
        let nobody: SocketAddr = "127.9.9.9:1".parse().unwrap();
        assert_eq!(
            smol::block_on(ask(&Probe::Tcp(nobody), SECOND)),
            Err(format!("tcp {nobody}: connection refused"))
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
        let result = smol::block_on(ask(&probe, Duration::from_millis(200)));
        let why = format!("http://{address}/health: no answer within 0.2 s");
        assert_eq!(result, Err(why));
        assert!(start.elapsed() < SECOND);
    }

    #[test]
    fn a_program_speaks_by_its_status_and_its_last_line() {
        let sh = |script: &str| Probe::Exec(vec!["/bin/sh".into(), "-c".into(), script.into()]);
        let ask = |probe: &Probe, limit| smol::block_on(ask(probe, limit));
        assert_eq!(ask(&sh("exit 0"), SECOND), Ok(()));
        assert_eq!(
            ask(&sh("echo hello; echo no replica >&2; exit 2"), SECOND),
            Err(
                "/bin/sh -c echo hello; echo no replica >&2; exit 2: exit status 2: no replica"
                    .into()
            )
        );
        assert_eq!(
            ask(&sh("kill -9 $$"), SECOND).unwrap_err(),
            "/bin/sh -c kill -9 $$: killed by signal 9"
        );
        let late = ask(&sh("sleep 60"), Duration::from_millis(100)).unwrap_err();
        assert!(late.ends_with(": no answer within 0.1 s"), "{late}");
        let absent = ask(&Probe::Exec(vec!["/no/such".into()]), SECOND).unwrap_err();
        assert_eq!(absent, "/no/such: cannot be run: no such file or directory");
    }
}

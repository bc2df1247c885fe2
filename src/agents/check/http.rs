//! `GET` by HTTP/1.1 (RFC 9112), as much of it as a health check needs: the status, and a text in the
//! first 64 KiB of the body as it is sent. No library: the one page asked for is the operator's own.

use super::{Bad, bad};
use crate::agents::words::printable;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Timer};
use std::net::TcpStream;
use std::time::Duration;

/// Which answer is good.
#[derive(Debug)]
pub(super) struct Good<'a> {
    /// Only this status; none: any 2xx or 3xx.
    pub(super) status: Option<u16>,
    /// The body contains it.
    pub(super) body: Option<&'a str>,
}

/// Longer heads are refused.
const HEAD: usize = 16 * 1024;
/// So much of the body is read.
const BODY: usize = 64 * 1024;
/// So much is read at once, and so long it is waited for more.
const PIECE: usize = 64 * 1024;
const PAUSE: Duration = Duration::from_millis(5);

/// Asks once; it ends as soon as the answer is known to be good or bad.
pub(super) async fn get(
    mut stream: Async<TcpStream>,
    host: &str,
    path: &str,
    good: &Good<'_>,
) -> Result<(), Bad> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ha-appliance\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    let sent = stream.write_all(request.as_bytes()).await;
    sent.map_err(|error| bad(&error))?;
    let mut answer = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let read = stream.read(&mut piece).await.map_err(|error| bad(&error))?;
        answer.extend_from_slice(&piece[..read]);
        match judge(&answer, read == 0, good) {
            Some(verdict) => return verdict.map_err(Bad::Failed),
            // Whoever sends byte by byte is read, and judged, no more often for that.
            None => drop(Timer::after(PAUSE).await),
        }
    }
}

/// What the bytes so far mean; none: more are needed. `ended`: there will be no more.
pub(super) fn judge(answer: &[u8], ended: bool, good: &Good) -> Option<Result<(), String>> {
    // Whoever does not speak HTTP is recognised by the first bytes, and not waited for.
    let start = &answer[..answer.len().min(PROTOCOL.len())];
    if !PROTOCOL.starts_with(start) {
        return Some(Err("the answer is not HTTP".into()));
    }
    let Some((head, body)) = split(answer) else {
        return match (ended, answer.len()) {
            (true, 0) => Some(Err("the connection was closed without an answer".into())),
            (true, _) => Some(Err(
                "the connection was closed in the middle of the answer".into()
            )),
            (false, HEAD..) => Some(Err("the answer's head is longer than 16 KiB".into())),
            (false, _) => None,
        };
    };
    let Some((status, reason)) = status_line(head) else {
        return Some(Err("the answer is not HTTP".into()));
    };
    let fits = match good.status {
        Some(only) => status == only,
        None => (200..400).contains(&status),
    };
    if !fits {
        let words = format!("{status} {reason}");
        return Some(Err(match good.status {
            Some(only) => format!("{}, not {only}", words.trim_end()),
            None => words.trim_end().into(),
        }));
    }
    let Some(text) = good.body else {
        return Some(Ok(()));
    };
    let body = &body[..body.len().min(BODY)];
    let text = text.as_bytes();
    if text.is_empty() || body.windows(text.len()).any(|window| window == text) {
        return Some(Ok(()));
    }
    match ended || body.len() == BODY {
        true => Some(Err(format!(
            "{status}, but the page does not contain {:?}",
            good.body.unwrap_or_default()
        ))),
        false => None,
    }
}

const PROTOCOL: &[u8] = b"HTTP/1.";

/// The head, without the empty line that ends it, and what there is of the body.
fn split(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answer[..answer.len().min(HEAD)]
        .windows(4)
        .position(|four| four == b"\r\n\r\n")?;
    Some((&answer[..end], &answer[end + 4..]))
}

/// `HTTP/1.1 200 OK`: its status and its reason, which may be missing.
fn status_line(head: &[u8]) -> Option<(u16, String)> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let rest = line.strip_prefix(PROTOCOL)?;
    let [version, b' ', digits @ ..] = rest else {
        return None;
    };
    let (digits, reason) = digits.split_at_checked(3)?;
    if !version.is_ascii_digit() || !digits.iter().all(u8::is_ascii_digit) || digits[0] == b'0' {
        return None;
    }
    if !reason.is_empty() && reason[0] != b' ' {
        return None;
    }
    let status = digits
        .iter()
        .fold(0, |sum, d| sum * 10 + u16::from(d - b'0'));
    let reason: String = String::from_utf8_lossy(reason).chars().take(60).collect();
    Some((status, printable(&reason)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    const ANY: Good = Good {
        status: None,
        body: None,
    };

    async fn asked(at: SocketAddr, host: &str, path: &str, good: &Good<'_>) -> Result<(), Bad> {
        let stream = Async::<TcpStream>::connect(at).await.unwrap();
        get(stream, host, path, good).await
    }

    /// Serves this answer once; gives the verdict and the request.
    fn served(bind: &str, answer: &'static [u8], good: &Good) -> (Result<(), String>, String) {
        let failed = |bad| match bad {
            Bad::Failed(why) => why,
            Bad::Unasked(trouble) => panic!("{trouble}"),
        };
        let listener = TcpListener::bind(bind).unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            for part in answer.chunks(7) {
                // Whoever has heard enough hangs up.
                let _ = stream.write_all(part);
            }
            String::from_utf8(request).unwrap()
        });
        let host = address.to_string();
        let verdict = smol::block_on(asked(address, &host, "/health?a=1", good));
        (verdict.map_err(failed), server.join().unwrap())
    }

    #[test]
    fn a_page_is_asked_for_and_its_status_counts() {
        let (verdict, request) =
            served("127.0.0.1:0", b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello", &ANY);
        assert_eq!(verdict, Ok(()));
        assert!(
            request.starts_with("GET /health?a=1 HTTP/1.1\r\nHost: 127.0.0.1:"),
            "{request}"
        );
        assert!(request.contains("\r\nConnection: close\r\n"), "{request}");
        for (answer, expected) in [
            (&b"HTTP/1.0 302 Found\r\n\r\n"[..], Ok(())),
            (b"HTTP/1.1 204\r\n\r\n", Ok(())),
            (
                b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
                Err("503 Service Unavailable"),
            ),
            (b"HTTP/1.1 404\r\n\r\n", Err("404")),
            (b"HTTP/1.1 99 No\r\n\r\n", Err("the answer is not HTTP")),
            (b"HTTP/1.1 2000 No\r\n\r\n", Err("the answer is not HTTP")),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Err("the answer is not HTTP")),
            (b"", Err("the connection was closed without an answer")),
            (
                b"HTTP/1.1 200 OK\r\nA:",
                Err("the connection was closed in the middle of the answer"),
            ),
        ] {
            let (verdict, _) = served("127.0.0.1:0", answer, &ANY);
            assert_eq!(verdict, expected.map_err(String::from));
        }
    }

    #[test]
    fn a_named_status_is_the_only_good_one() {
        let only = Good {
            status: Some(401),
            body: None,
        };
        let (verdict, _) = served("127.0.0.1:0", b"HTTP/1.1 401 Unauthorized\r\n\r\n", &only);
        assert_eq!(verdict, Ok(()));
        let (verdict, _) = served("127.0.0.1:0", b"HTTP/1.1 200 OK\r\n\r\n", &only);
        assert_eq!(verdict, Err("200 OK, not 401".into()));
    }

    #[test]
    fn the_body_must_contain_the_text() {
        let good = Good {
            status: None,
            body: Some("in sync"),
        };
        let (verdict, _) = served(
            "127.0.0.1:0",
            b"HTTP/1.1 200 OK\r\n\r\nall is in sync here",
            &good,
        );
        assert_eq!(verdict, Ok(()));
        let (verdict, _) = served("127.0.0.1:0", b"HTTP/1.1 200 OK\r\n\r\nout of order", &good);
        assert_eq!(
            verdict,
            Err("200, but the page does not contain \"in sync\"".into())
        );
    }

    #[test]
    fn ipv6_is_asked_as_well() {
        let (verdict, request) = served("[::1]:0", b"HTTP/1.1 200 OK\r\n\r\n", &ANY);
        assert_eq!(verdict, Ok(()));
        assert!(request.contains("Host: [::1]:"), "{request}");
    }

    #[test]
    fn what_has_no_end_is_not_read_to_the_end() {
        let head = [&b"HTTP/1.1 200 OK\r\n"[..], &[b'a'; HEAD]].concat();
        assert!(matches!(judge(&head, false, &ANY), Some(Err(_))));
        let body = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'a'; BODY]].concat();
        let good = Good {
            status: None,
            body: Some("b"),
        };
        assert!(matches!(judge(&body, false, &good), Some(Err(_))));
    }

    /// Serves that head, and then one byte again and again, as fast as it is taken or with a pause.
    fn drips(head: &'static [u8], pause: Duration) -> (SocketAddr, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut sent = stream.write_all(head);
            while sent.is_ok() {
                sent = stream.write_all(b"x");
                thread::sleep(pause);
            }
        });
        (address, server)
    }

    /// In clock ticks, of this thread.
    fn used() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let words: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap()
    }

    #[test]
    fn an_endless_body_and_one_that_drips_cost_next_to_nothing() {
        let good = Good {
            status: None,
            body: Some("in sync"),
        };
        let ask = |head, pause: Duration, limit: Duration| {
            let (address, server) = drips(head, pause);
            let answer = async { Some(asked(address, "h", "/", &good).await) };
            let late = async {
                Timer::after(limit).await;
                None
            };
            let before = used();
            let verdict = smol::block_on(smol::future::or(answer, late));
            server.join().unwrap();
            (verdict, used() - before)
        };
        let body = b"HTTP/1.1 200 OK\r\n\r\n";
        let (verdict, ticks) = ask(body, Duration::ZERO, Duration::from_secs(20));
        let why = "200, but the page does not contain \"in sync\"";
        assert_eq!(verdict, Some(Err(Bad::Failed(why.into()))));
        assert!(ticks <= 50, "{ticks} ticks of 10 ms");
        let drip = Duration::from_millis(1);
        let (verdict, ticks) = ask(body, drip, Duration::from_secs(2));
        assert_eq!(verdict, None);
        assert!(ticks <= 20, "{ticks} ticks of 10 ms in 2 s");
        let (verdict, ticks) = ask(b"HTTP/1.1 200 OK\r\nA: ", drip, Duration::from_secs(2));
        assert_eq!(verdict, None);
        assert!(ticks <= 20, "{ticks} ticks of 10 ms in 2 s");
    }

    proptest! {
        #[test]
        fn garbage_is_never_good(bytes: Vec<u8>, ended: bool) {
            prop_assert_ne!(judge(&bytes, ended, &ANY), Some(Ok(())));
        }

        #[test]
        fn garbage_behind_a_good_beginning_is_no_panic(bytes: Vec<u8>, ended: bool) {
            let answer = [PROTOCOL, &bytes].concat();
            judge(&answer, ended, &Good { status: None, body: Some("x") });
        }
    }
}

//! Where a check asks, as ha.toml writes it. Names but `localhost` are not looked up: a check that needs
//! a name server fails when that does.

use crate::config::address;
use crate::config::error::quoted;
use crate::config::key::Refusal;
use std::net::{IpAddr, SocketAddr};

/// A URL for a `GET`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// Where to connect.
    pub address: SocketAddr,
    /// Host and port as written.
    pub host: String,
    /// Path and query, at least `/`.
    pub path: String,
}

/// `http://ADDRESS[:PORT][/PATH][?QUERY]`.
pub(super) fn http(text: &str) -> Result<Url, Refusal> {
    let example = "write \"http://127.0.0.1:8404/health\"";
    if text.starts_with("https://") {
        let help = format!("let a program ask: `exec = [\"/usr/bin/curl\", \"-fsS\", \"{text}\"]`");
        return refuse("https is not spoken here", help);
    }
    let Some(rest) = text.strip_prefix("http://") else {
        return refuse(
            format!("{} does not begin with http://", quoted(text)),
            example,
        );
    };
    if !text.chars().all(|c| c.is_ascii_graphic()) {
        let help = "write a space as %20, other letters by their bytes in the same way";
        return refuse("a URL holds neither spaces nor letters beyond ASCII", help);
    }
    if text.contains('#') {
        let help = "delete the `#` and what follows: it is never sent to a server";
        return refuse("a URL with a fragment", help);
    }
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if let Some((_, host)) = host.rsplit_once('@') {
        let help = format!(
            "write \"http://{host}{path}\"; where a password is needed, let a program ask (`exec`)"
        );
        return refuse("a URL with a user", help);
    }
    let address = socket(host, Some(80))?;
    Ok(Url {
        address,
        host: host.to_owned(),
        path: match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        },
    })
}

/// `ADDRESS:PORT`, an IPv6 address in brackets.
pub(super) fn tcp(text: &str) -> Result<SocketAddr, Refusal> {
    socket(text, None)
}

fn socket(text: &str, default_port: Option<u16>) -> Result<SocketAddr, Refusal> {
    let example = "write \"127.0.0.1:8080\", or \"[::1]:8080\"";
    if let Ok(IpAddr::V6(v6)) = text.parse() {
        let what = format!("`{text}` is an IPv6 address without brackets");
        let help = format!("write it in brackets, and its port behind them: \"[{v6}]:8080\"");
        return refuse(what, help);
    }
    let colon = text.rfind(':').filter(|at| !text[*at..].contains(']'));
    let (host, port) = text.split_at(colon.unwrap_or(text.len()));
    let port = match (port.strip_prefix(':'), default_port) {
        (None, None) => return refuse(format!("{} has no port", quoted(text)), example),
        (None, Some(port)) => port,
        (Some(port), _) => match number(port) {
            Some(port) => port,
            None => {
                return refuse(
                    format!("{} is not a port", quoted(port)),
                    "ports are 1 to 65535",
                );
            }
        },
    };
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let (what, example) = match in_brackets {
        Some(inner) => (inner, "::1"),
        None => (host, "127.0.0.1"),
    };
    let address = address::asked(what, example)?;
    if address.is_ipv6() != in_brackets.is_some() {
        let help = "write IPv6 addresses in brackets, others without: \"[::1]:8080\"";
        return refuse(format!("`{host}` is not a host"), help);
    }
    Ok(SocketAddr::new(address, port))
}

/// A port in digits alone; `u16` would read a plus as well.
fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|_| digits);
    port.filter(|port| *port != 0)
}

fn refuse<T>(what: impl Into<String>, help: impl Into<String>) -> Result<T, Refusal> {
    Err((what.into(), help.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, address, host, path) in [
            ("http://127.0.0.1", "127.0.0.1:80", "127.0.0.1", "/"),
            (
                "http://127.0.0.1:8404/health",
                "127.0.0.1:8404",
                "127.0.0.1:8404",
                "/health",
            ),
            (
                "http://localhost:81/?a=/@b",
                "127.0.0.1:81",
                "localhost:81",
                "/?a=/@b",
            ),
            ("http://10.0.0.1?auto", "10.0.0.1:80", "10.0.0.1", "/?auto"),
            ("http://[::1]:8080/", "[::1]:8080", "[::1]:8080", "/"),
            (
                "http://[2001:db8::1]/a%20b",
                "[2001:db8::1]:80",
                "[2001:db8::1]",
                "/a%20b",
            ),
        ] {
            let expected = Url {
                address: address.parse().unwrap(),
                host: host.to_owned(),
                path: path.to_owned(),
            };
            assert_eq!(http(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "http://",
            "http:///health",
            "http://:80/",
            "http://[]/",
            "http://[::1/",
            "http://::1/",
            "http://[127.0.0.1]/",
            "http://1.2.3/",
            "http://127.0.0.1:/",
            "http://127.0.0.1:+80/",
            "http://127.0.0.1:65536/",
            "http://0.0.0.0/",
            "http://[fe80::1]/",
            "http://[fe80::1%eth0]/",
            "http://a\r\nb/",
        ] {
            assert!(http(text).is_err(), "{text}");
        }
        for text in [
            "",
            ":",
            "127.0.0.1",
            "::1",
            "[::1]",
            "[::1]8080",
            "80",
            "localhost",
        ] {
            assert!(tcp(text).is_err(), "{text}");
        }
        assert_eq!(tcp("localhost:80"), Ok("127.0.0.1:80".parse().unwrap()));
    }
}

//! How far a sync is, by /proc/drbd of 8.4, whose `events2` tells of it only when something else changes. 9 has nothing
//! there, and tells it.

use std::time::Duration;

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// "63.2", of a hundred.
    pub done: String,
    /// How long it will take at its pace; None: it does not get on.
    pub left: Option<Duration>,
}

/// Where the kernel says it.
pub const PROC: &str = "/proc/drbd";

/// Of the device of that number, by what stands in [`PROC`]; None: it is not synced just now.
pub fn progress(text: &str, minor: &str) -> Option<Progress> {
    let mut lines = text.lines().skip_while(|line| !begins(line, minor)).skip(1);
    let mut found = None;
    while let Some(line) = lines.next().filter(|line| line.starts_with([' ', '\t'])) {
        // The next device begins at a blank, too.
        if line.trim_start().starts_with(|c: char| c.is_ascii_digit()) {
            break;
        }
        if let Some((_, rest)) = line.split_once("sync'ed:") {
            let done = rest.split('%').next()?.trim().to_owned();
            found = Some(Progress { done, left: None });
        }
        if let (Some(found), Some((_, rest))) = (&mut found, line.split_once("finish:")) {
            let stalled = line.contains("stalled");
            found.left = span(rest.split_ascii_whitespace().next()?).filter(|_| !stalled);
        }
    }
    found
}

/// ` 1: cs:SyncSource ro:Primary/Secondary …`
fn begins(line: &str, minor: &str) -> bool {
    line.trim_start()
        .strip_prefix(minor)
        .is_some_and(|rest| rest.starts_with(": cs:"))
}

/// "1:02:03"
fn span(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    for part in text.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version: 8.4.11 (api:1/proto:86-101)\nsrcversion: F73C670A7EC572DB9CF3E5B \n\n \
        1: cs:SyncSource ro:Primary/Secondary ds:UpToDate/Inconsistent C r-----\n    \
        ns:1540 nr:0 dw:40 dr:9 al:8 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:10752\n\
        \t[=>..................] sync'ed: 12.5% (10752/12288)K\n\
        \tfinish: 0:01:12 speed: 896 (896) K/sec\n \
        2: cs:Connected ro:Secondary/Secondary ds:UpToDate/UpToDate C r-----\n    \
        ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:0\n \
        12: cs:SyncTarget ro:Secondary/Secondary ds:Inconsistent/UpToDate C r-----\n    \
        ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:99\n\
        \t[>....................] sync'ed:  1.0% (4194/4236)M\n\
        \tfinish: 11:01:12 speed: 0 (0) K/sec (stalled)\n";

    #[test]
    fn each_device_has_its_own() {
        let told = |minor: &str| {
            let progress = progress(TEXT, minor);
            progress.map(|p| (p.done, p.left.map(|left| left.as_secs())))
        };
        assert_eq!(told("1"), Some(("12.5".into(), Some(72))));
        assert_eq!(told("2"), None);
        assert_eq!(told("12"), Some(("1.0".into(), None)));
        assert_eq!(told("3"), None);
        assert_eq!(
            progress("version: 9.1.14 (api:2/proto:110-121)\n", "1"),
            None
        );
    }
}

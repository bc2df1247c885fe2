//! What other programs answer: `systemctl show`, web servers, checks and hooks.

use ha_appliance::agents::check::judge_http;
use ha_appliance::agents::service::{Load, shown};
use ha_appliance::agents::words::{in_one_line, last_line, printable};

/// As many units as were asked for, or no answer.
pub fn systemctl(bytes: &[u8]) {
    let output = String::from_utf8_lossy(bytes);
    let blocks = output.trim_end().split("\n\n").count();
    assert_eq!(shown(&output, blocks + 1), None);
    for unit in shown(&output, blocks).unwrap_or_default() {
        assert!(unit.main_pid.is_none_or(|pid| pid > 0) && unit.since_us >= 0);
        let mut said = format!("{}{}{}", unit.id, unit.description, unit.words());
        if let Load::Broken(why) = &unit.load {
            said += why;
        }
        assert!(!said.contains(char::is_control), "{said:?}");
        unit.in_transition();
    }
}

/// There is a verdict at the end, and it does not depend on the pieces in which the answer came.
pub fn http(answer: &[u8]) {
    for (status, body) in [
        (None, None),
        (Some(302), None),
        (None, Some("in sync")),
        (Some(200), Some("")),
    ] {
        let whole = judge_http(answer, true, status, body).expect("a verdict");
        let piece = (answer.len() / 16).max(1);
        let pieces = (0..=answer.len()).step_by(piece);
        let first = pieces.map(|end| judge_http(&answer[..end], false, status, body));
        let first = first.flatten().next();
        assert_eq!(first.as_ref().unwrap_or(&whole), &whole);
        match whole {
            Ok(()) => assert!(answer.starts_with(b"HTTP/1.")),
            Err(why) => assert!(
                !why.is_empty() && !why.contains(char::is_control),
                "{why:?}"
            ),
        }
    }
}

/// One line, not too long, and nothing in it that a terminal would obey.
pub fn words(bytes: &[u8]) {
    let output = String::from_utf8_lossy(bytes);
    let fits = |line: &str, longest| {
        assert!(
            line.chars().count() <= longest && !line.contains(char::is_control),
            "{line:?}"
        );
    };
    if let Some(line) = last_line(&output, 200, |_| true) {
        assert!(!line.is_empty());
        fits(&line, 200);
    }
    fits(
        &in_one_line(&output, 400, |line| !line.starts_with("See ")),
        400,
    );
    let said = printable(&output);
    fits(&said, output.len());
    assert_eq!(printable(&said), said);
}

//! Reads the `check` of a service.

use super::url;
use super::{Check, Probe};
use crate::agents::program::Program;
use crate::config::error::{At, Report, quoted};
use crate::config::key::Refusal;
use crate::config::keys::CHECK;
use crate::config::places::Subject;
use crate::config::read::Section;
use crate::config::rhythm::{Limits, rhythm};
use crate::config::user;
use std::net::SocketAddr;
use std::time::Duration;
use toml::de::DeValue;

/// What a check may ask; one of them.
const QUESTIONS: [&str; 3] = ["http", "tcp", "exec"];
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Reads the `check` of a service, if it has one.
pub(super) fn check(service: &Section, report: &mut Report) -> Option<Check> {
    let value = service.value("check")?;
    let DeValue::Table(table) = value.get_ref() else {
        service.wrong_type("check", "a table in braces", value, report);
        return None;
    };
    let section = Section::open(table, value.span(), &CHECK, report);
    let probe = probe(&section, report);
    let (interval, timeout) = rhythm(
        &section,
        "the check",
        Limits {
            within: SHORTEST_INTERVAL..=HOUR,
            why: "choose between these: more questions are a load on the service, fewer are no watch",
            default: Check::INTERVAL,
        },
        Limits {
            within: SHORTEST_TIMEOUT..=HOUR,
            why: "choose between these: what a busy service needs to answer, and a little more",
            default: Check::TIMEOUT,
        },
        report,
    );
    let why = "choose between these: 1 moves or restarts at the first slow answer";
    let failures = section.number("failures", 1..=100, why, report);
    Some(Check {
        probe: probe?,
        interval,
        timeout,
        failures: failures.map_or(Check::FAILURES, |at| at.value),
    })
}

fn probe(section: &Section, report: &mut Report) -> Option<Probe> {
    let is_there = |name: &&str| section.value(name).is_some();
    let mut asked: Vec<&str> = QUESTIONS.into_iter().filter(is_there).collect();
    asked.sort_by_key(|name| section.key_span(name).start);
    match &asked[..] {
        [] if QUESTIONS.iter().all(|name| section.lacks(name)) => {
            let help = "add `http = \"http://127.0.0.1:8404/health\"`, `tcp = \"127.0.0.1:8080\"` or `exec = [\"/usr/local/bin/is-well\"]`";
            report.add(&section.span, "a check that asks nothing", help);
        }
        [first, second, ..] => {
            let what = format!("`{first}` and `{second}` in one check");
            let help = "keep one of them; `exec` can run a program that asks both";
            report.add(&section.key_span(second), what, help);
        }
        _ => {}
    }
    if section.lacks("http") {
        for name in ["status", "body"].into_iter().filter(is_there) {
            let what = format!("`{name}` without `http`");
            let help = "delete it: only the answer to an http check has one";
            report.add(&section.key_span(name), what, help);
        }
    }
    if section.lacks("exec") && is_there(&"user") {
        let what = "`user` without `exec`";
        let help = "delete it: only a program runs as somebody";
        report.add(&section.key_span("user"), what, help);
    }
    match asked[..] {
        ["http"] => http(section, report),
        ["tcp"] => tcp(section, report).map(Probe::Tcp),
        ["exec"] => {
            let words = exec(section, report)?;
            let user = user::read(section, "user", report);
            Some(Probe::Exec(Program { words, user }))
        }
        _ => None,
    }
}

fn http(section: &Section, report: &mut Report) -> Option<Probe> {
    let why = "choose between these, or delete it: then every 2xx and 3xx is good";
    let status = section.number("status", 200..=599, why, report);
    let body = section.text("body", report);
    if let Some(body) = body.as_ref().filter(|body| body.value.is_empty()) {
        let what = "`body` is empty, which every answer contains";
        report.add(
            &body.span,
            what,
            "write a text that only a good answer has, or delete it",
        );
    }
    let text = section.text("http", report)?;
    let url = accepted("http", url::http(text.value), &text, report)?;
    Some(Probe::Http {
        address: url.address,
        host: url.host,
        path: url.path,
        status: status.and_then(|status| u16::try_from(status.value).ok()),
        body: body.map(|body| body.value.to_owned()),
    })
}

fn tcp(section: &Section, report: &mut Report) -> Option<SocketAddr> {
    let text = section.text("tcp", report)?;
    accepted("tcp", url::tcp(text.value), &text, report)
}

/// A program with its arguments, or the program alone.
fn exec(section: &Section, report: &mut Report) -> Option<Vec<String>> {
    let value = section.value("exec")?;
    let words = match value.get_ref().as_str() {
        Some(alone) => vec![At {
            value: alone,
            span: value.span(),
        }],
        None => section.texts("exec", report)?.value,
    };
    let Some(program) = words.first() else {
        let help = "write a program and its arguments: [\"/usr/local/bin/is-well\", \"web\"]";
        report.add(&value.span(), "`exec` is empty", help);
        return None;
    };
    if !program.value.starts_with('/') {
        let what = format!("{} is not an absolute path", quoted(program.value));
        let help = "write it from the root: \"/usr/bin/curl\"; it is run without a shell";
        report.add(&program.span, what, help);
    } else if program.value.contains(char::is_whitespace) {
        let what = format!("`{}` is no program: it has spaces", program.value);
        let list: Vec<_> = program
            .value
            .split_whitespace()
            .map(|word| format!("{word:?}"))
            .collect();
        let help = format!(
            "write a list, since no shell splits it: [{}]",
            list.join(", ")
        );
        report.add(&program.span, what, help);
    }
    report.mark(Subject::Program(program.value.to_owned()), &program.span);
    for word in words.iter().filter(|word| word.value.contains('\0')) {
        let what = "no argument of a program can hold a zero byte";
        report.add(&word.span, what, "delete the \\u0000");
    }
    Some(words.iter().map(|word| word.value.to_owned()).collect())
}

/// Notes why a value was refused.
fn accepted<T>(
    name: &str,
    found: Result<T, Refusal>,
    text: &At<&str>,
    report: &mut Report,
) -> Option<T> {
    found
        .map_err(|(what, help)| report.add(&text.span, format!("`{name}`: {what}"), help))
        .ok()
}

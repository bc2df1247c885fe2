//! A group's part of the page.

use super::judge::{Place as Where, age, ailing, left, place};
use super::layout::{Style, some_of, table};
use super::{Group, GroupAtPeer, Pending, Resource, ServiceStatus, Status, sentence};
use crate::core::reason::Fact;
use crate::core::time::Time;
use crate::shell::clock::{self, Zone};

/// Where it runs and how it is, what each node could do, and why it last changed.
pub(super) fn lines(status: &Status, group: &Group, now: Time, style: Style) -> Vec<String> {
    let (since, me, peer) = (age(now, group.since_us), &status.node, status.peer_name());
    let well = ailing(group).next().is_none();
    let headline = match place(status, group) {
        Where::Nowhere | Where::Unknown if group.stopped && group.role == "stopped" => {
            "STOPPED by the operator".into()
        }
        Where::Here | Where::Both if group.conflict.is_some() => {
            format!(
                "active on {} for {since}, and on {peer} too, it seems",
                status.node
            )
        }
        Where::Both if status.maintenance => {
            "active on one node, and something of it runs on the other".into()
        }
        Where::Here if group.adopted => {
            format!(
                "active on {} for {since}: found running, and left so",
                status.node
            )
        }
        Where::Here if group.vain() => {
            format!("active on {me} for {since}, but SERVES NOBODY")
        }
        Where::Here if well => format!("active on {} for {since}", status.node),
        Where::Here => format!("active on {} for {since}, but NOT WELL", status.node),
        Where::There if group.vain_there() => {
            format!("active on {peer}, by its word, but SERVES NOBODY")
        }
        Where::There => format!("active on {peer}, by its word; {} on {me}", group.role),
        Where::Both => "moving: both nodes have it".into(),
        Where::Moving(what) => format!("NOT ACTIVE: {} on {}", what.role, what.node),
        Where::Unknown => format!("{} on {me}; unknown of {peer}", group.role),
        Where::Nowhere => format!("NOT ACTIVE; {} on {me}", group.role),
    };
    // Where the peer runs it, it has the addresses of its own file.
    let there = place(status, group) == Where::There;
    let unlisted = |vip: &&String| there && group.unlisted_there.contains(&format!("vip {vip}"));
    // What is held back nobody has.
    let held = |vip: &&String| {
        let name = format!("vip {vip}");
        let mut held = group.resources.iter().filter(|r| r.state == "held back");
        held.any(|resource| resource.name == name)
    };
    let vips = group.vips.iter().filter(|vip| !unlisted(vip) && !held(vip));
    let vips: Vec<String> = vips.cloned().collect();
    let at = match vips.is_empty() {
        true => String::new(),
        false => format!("{}: ", some_of(&vips, 2)),
    };
    let mut lines = vec![at + &headline];
    lines.extend(table(resources(group, now)));
    lines.extend(table(at_nodes(status, group)));
    let next = |retry: Option<i64>| {
        let next = retry.map(|at| format!("; tried again in {}", left(now, at)));
        next.unwrap_or_default()
    };
    if let Some(waiting) = &group.waiting {
        lines.push(format!("waiting: {waiting}{}", next(group.retry_us)));
    }
    let says = group.peer.as_ref().filter(|peer| peer.role != "active");
    if let Some(says) = says.and_then(|peer| peer.says.as_ref())
        && let Some(waiting) = &says.waiting
    {
        lines.push(format!(
            "on {peer}, waiting: {waiting}{}",
            next(says.retry_us)
        ));
    }
    let says = group.peer.as_ref().and_then(|peer| peer.says.as_ref());
    if let Some(says) = says.filter(|says| there && says.role == "active") {
        let at = wall(status, says.since_us, style.zone);
        lines.push(format!("active on {peer} since {at}: {}", says.reason));
    }
    let held = if group.failback_held {
        "; failback waits, because an operator moved it"
    } else {
        ""
    };
    let at = wall(status, group.since_us, style.zone);
    lines.push(format!(
        "{} since {at}{}: {}",
        role_in_words(group),
        match group.role.as_str() {
            "active" => "",
            _ => ", because then",
        },
        group.why()
    ));
    lines.push(format!(
        "token {}, held by {}{held}",
        group.epoch, group.holder
    ));
    lines
}

fn role_in_words(group: &Group) -> &str {
    match group.adopted {
        true => "kept",
        false => &group.role,
    }
}

/// When that was, by the clock.
fn wall(status: &Status, stamp_us: i64, zone: Zone) -> String {
    let Some(ms) = clock::millis_of(&status.stamp) else {
        return "an unknown time".into();
    };
    // Of one moment the same second in every view.
    let at = ms - (status.stamp_us - stamp_us) / 1000;
    clock::local(at.div_euclid(1000), zone)
}

/// The services on this node, and whatever else is not simply as it should be.
fn resources(group: &Group, now: Time) -> Vec<Vec<String>> {
    let worth = |r: &&Resource| {
        r.service.is_some()
            || r.amiss.is_some()
            || !r.failure.is_empty()
            || !matches!(r.state.as_str(), "running" | "stopped" | "unknown")
    };
    let row = |resource: &Resource| {
        let mut more: Vec<String> = resource.service.iter().map(|s| in_words(s, now)).collect();
        if resource.service.is_none() {
            more.extend(resource.amiss.clone());
        }
        if !resource.failure.is_empty() {
            let failures = match resource.fail_count {
                0 | 1 => "failed".to_owned(),
                n => format!("failed {n} times, lastly"),
            };
            let ago = resource
                .failed_us
                .map(|at| format!(", {} ago", age(now, at)));
            more.push(format!(
                "{failures}: {}{}",
                resource.failure,
                ago.unwrap_or_default()
            ));
        }
        let pending = resource.until_us.map(|until_us| Pending {
            resource: resource.name.clone(),
            state: resource.state.clone(),
            until_us,
        });
        let pending = pending.map(|pending| sentence::ends(&pending, now));
        more.extend(pending);
        let state = match (&resource.service, &resource.amiss) {
            _ if resource.is_frozen() => "FROZEN",
            (_, Some(_)) => "NOT WELL",
            // What systemd says is looked at, and says more.
            (Some(_), None) if resource.state == "running" => "well",
            (Some(seen), None) if resource.state == "unknown" => match seen.runs {
                Some(true) => "running",
                Some(false) => "stopped",
                None => "unknown",
            },
            _ => &resource.state,
        };
        vec![resource.name.clone(), state.to_owned(), more.join("; ")]
    };
    group.resources.iter().filter(worth).map(row).collect()
}

/// What systemd and its check say of a service.
fn in_words(service: &ServiceStatus, now: Time) -> String {
    let mut words = service.state.clone();
    match (&service.check_error, service.checked_us) {
        (Some(error), _) => words += &format!("; check: {error}"),
        (None, Some(at)) => words += &format!("; check good {} ago", age(now, at)),
        (None, None) => {}
    }
    if let Some(notice) = &service.notice {
        words += &format!("; {notice}");
    }
    words
}

const NO_MOVE: &str = "not ready for a move";

/// By its own word.
fn ails(peer: &GroupAtPeer) -> bool {
    let says = peer.says.as_ref();
    says.is_some_and(|says| !says.amiss.is_empty())
}

/// How each node stands to the group.
fn at_nodes(status: &Status, group: &Group) -> Vec<Vec<String>> {
    let row = |name: &str, role: &str, standing: String, against: Option<String>, failures: u16| {
        let against = against.map_or(String::new(), |a| format!(": {a}"));
        let told = against.contains(&Fact::Failures(failures).to_string());
        let failures = match failures {
            0 => String::new(),
            _ if told => String::new(),
            _ => format!("; failures counted: {failures}"),
        };
        let standing = format!("{standing}{against}{failures}");
        vec![name.to_owned(), role.to_owned(), standing]
    };
    let standing = |role: &str, readiness: &str| match (role, readiness) {
        ("active", "able") => "serves it".into(),
        ("active", "unable") => "has it, serves nobody".into(),
        ("active", _) => format!("serves it, {readiness}"),
        ("failed", _) => "blocked".into(),
        ("starting", _) => "is starting it".into(),
        ("stopping", _) => "is stopping it".into(),
        (_, "able") => "could run it".into(),
        (_, "barred") => "may not run it".into(),
        (_, _) => readiness.to_owned(),
    };
    let facts = (!group.facts.is_empty()).then(|| group.facts.join(", "));
    let mut mine = match ailing(group).next() {
        Some(_) if group.role == "active" => "has it, not well".to_owned(),
        _ if group.adopted => "has it, found running".to_owned(),
        _ if sentence::behind(&group.facts) && group.role == "stopped" => NO_MOVE.to_owned(),
        _ => standing(&group.role, &group.readiness),
    };
    if mine == "could run it" && group.no_takeover.is_some() {
        mine += ", but would not take it over by itself";
    }
    let here = row(&status.node, &group.role, mine, facts, group.fail_count);
    let there = match &group.peer {
        Some(peer) => {
            let kept = status.maintenance && peer.role == "starting";
            let says = peer.says.as_ref().filter(|_| peer.readiness != "able");
            let facts = says.map(|says| &says.facts[..]);
            let standing = match kept {
                true => "has it, found running".into(),
                // Its goodbye says what it had, and nothing of what it could do now.
                false if !status.peer_speaks() => "as it said when it left".into(),
                false if peer.role == "active" && ails(peer) => "has it, not well".into(),
                false if peer.role == "stopped" && facts.is_some_and(sentence::behind) => {
                    NO_MOVE.into()
                }
                false => standing(&peer.role, &peer.readiness),
            };
            let facts = facts.map(|facts| facts.join(", "));
            let amiss = peer.says.as_ref().map(|says| says.amiss.join(", "));
            let against = [facts, amiss].into_iter().flatten();
            let against: Vec<String> = against.filter(|text| !text.is_empty()).collect();
            let idle = matches!(peer.role.as_str(), "stopped");
            let standing = match group.unlisted_there.is_empty() || !idle {
                true => standing,
                false => format!(
                    "{standing}, but its ha.toml does not list {}",
                    group.unlisted_there.join(", ")
                ),
            };
            row(
                status.peer_name(),
                &peer.role,
                standing,
                (!against.is_empty()).then(|| against.join("; ")),
                group.peer_fail_count,
            )
        }
        None => row(status.peer_name(), "?", "not known".into(), None, 0),
    };
    if status.here_and_there().0 == 0 {
        vec![here, there]
    } else {
        vec![there, here]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::status::sample::Sample;

    #[test]
    fn one_moment_has_one_time_in_every_view() {
        let mut status = Sample::default().status();
        let since = 1_000_000_900_000;
        let mut seen = |stamp: &str, later_ms: i64| {
            status.stamp = stamp.into();
            status.stamp_us = since + later_ms * 1000;
            wall(&status, since, Zone::Utc)
        };
        let first = seen("2026-11-29T20:59:48.000Z", 100);
        assert_eq!(first, "Nov 29 20:59:47");
        assert_eq!(seen("2026-11-29T20:59:49.950Z", 2050), first);
    }
}

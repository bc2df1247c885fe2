//! The name of a systemd unit, by the rules of systemd.unit(5) and the habits of `systemctl`.

use crate::config::error::quoted;
use crate::config::key::Refusal;
use crate::config::nearest::nearest;

/// Longest name that systemd accepts, in bytes.
const LONGEST: usize = 255;
/// Stopping these would stop the one who stops them.
const OURS: [&str; 3] = [
    "ha-appliance.service",
    "ha-appliance-release.service",
    "ha-appliance-storage.service",
];

/// Without these a standby could not go on, or shut down.
const NEEDED: [&str; 3] = ["dbus", "dbus-broker", "polkit"];

/// The full name of a service unit: `haproxy` means `haproxy.service`, as it does for `systemctl`.
pub(super) fn unit(text: &str) -> Result<String, Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let wrong = |what: &str| format!("{} {what}", quoted(text));
    if text.is_empty() || !text.chars().all(allowed) {
        let help = "write it as `systemctl list-units` shows it: \"haproxy.service\"";
        return refuse(wrong("cannot be the name of a unit"), help);
    }
    let (stem, suffix) = text.rsplit_once('.').unwrap_or((text, ""));
    if let Some(help) = other_type(suffix, stem) {
        let what = format!("is a {suffix} unit, and this is about services");
        return refuse(wrong(&what), help);
    }
    let stem = if suffix == "service" { stem } else { text };
    if suffix != "service" && nearest(suffix, ["service"].into_iter()).is_some() {
        let (meant, _) = text.rsplit_once('.').unwrap_or_default();
        let help = format!("did you mean \"{meant}.service\"?");
        return refuse(wrong("does not end in .service"), help);
    }
    let name = format!("{stem}.service");
    if stem.is_empty() || stem.starts_with(['@', '-']) || name.len() > LONGEST {
        let help = format!(
            "a unit's name has at most {LONGEST} characters, and does not begin with `@` or `-`"
        );
        return refuse(wrong("cannot be the name of a unit"), help);
    }
    if let Some(template) = stem.strip_suffix('@').filter(|stem| !stem.contains('@')) {
        let help = format!("name an instance of it: \"{template}@main.service\"");
        return refuse(wrong("is a template, which cannot run"), help);
    }
    if OURS.contains(&name.as_str()) {
        let help = "name what it shall keep running: \"haproxy.service\"";
        return refuse(wrong("is this daemon itself"), help);
    }
    if let Some(why) = needed(&name) {
        let help = "name what clients use, and the other node can do as well";
        return refuse(wrong(why), help);
    }
    Ok(name)
}

/// Why a unit cannot be given to the pair, by its full name.
pub(in crate::config) fn needed(name: &str) -> Option<&'static str> {
    if OURS.contains(&name) {
        return Some("is this daemon itself");
    }
    let stem = name.strip_suffix(".service").unwrap_or(name);
    let needed = NEEDED.contains(&stem) || stem.starts_with("systemd-");
    needed.then_some("is needed by the machine itself on both nodes")
}

/// What to do about a unit that is no service; none for what may be the end of a service's name.
fn other_type(suffix: &str, stem: &str) -> Option<String> {
    let help = match suffix {
        "socket" | "timer" | "path" => format!(
            "write \"{stem}.service\": a .socket, .timer or .path of the same name is stopped with it"
        ),
        "target" => "name the services that it wants, each as a resource of its own".to_owned(),
        "mount" | "automount" => {
            "write a resource of kind `mount`, with its `device` and `fstype`".to_owned()
        }
        "device" | "swap" | "slice" | "scope" => "name a service: \"haproxy.service\"".to_owned(),
        _ => return None,
    };
    Some(help)
}

fn refuse<T>(what: String, help: impl Into<String>) -> Result<T, Refusal> {
    Err((what, help.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_systemctl_does() {
        for (text, name) in [
            ("haproxy", "haproxy.service"),
            ("haproxy.service", "haproxy.service"),
            ("php8.2-fpm", "php8.2-fpm.service"),
            ("php-fpm@8.2.service", "php-fpm@8.2.service"),
            ("php-fpm@8.2", "php-fpm@8.2.service"),
            ("a@b@c", "a@b@c.service"),
            ("a@b@", "a@b@.service"),
            (r"dev\x2dfoo:bar_baz", r"dev\x2dfoo:bar_baz.service"),
        ] {
            assert_eq!(unit(text).as_deref(), Ok(name));
        }
        assert!(unit(&"a".repeat(247)).is_ok());
        assert!(unit(&"a".repeat(248)).is_err());
    }
}

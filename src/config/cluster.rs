//! Reads `[cluster]`, and the keys it names.

use super::build::{CheckPrivate, ReadSecret};
use super::error::{Mistake, Report, quoted};
use super::key::{self, Secret};
use super::keys::CLUSTER;
use super::places::Subject;
use super::read::{Section, check_name};
use super::schema::Cluster;
use super::user;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads `[cluster]`.
pub(super) fn cluster(
    top: &Section,
    read_secret: ReadSecret,
    check_private: CheckPrivate,
    report: &mut Report,
) -> Cluster {
    let mut cluster = Cluster {
        name: String::new(),
        keys: Vec::new(),
        key_file: None,
        start_wait: Cluster::START_WAIT,
        wait_for_peer: false,
        notify: None,
        notify_user: None,
    };
    if top.lacks("cluster") {
        report.add(
            &report.end(),
            "there is no [cluster]",
            "add `[cluster]` with `name` and `key_file`",
        );
    }
    let Some(section) = top.table("cluster", &CLUSTER, report) else {
        return cluster;
    };
    section.require("name", report);
    if let Some(name) = section.text("name", report) {
        check_name("cluster", &name, report);
        cluster.name = name.value.to_owned();
    }
    cluster.keys = keys(&section, read_secret, check_private, report);
    let file = section
        .value("key_file")
        .and_then(|value| value.get_ref().as_str());
    cluster.key_file = file.map(|file| beside(report.path, file));
    let why = "write what a booting peer needs; `wait_for_peer = true` waits for ever";
    if let Some(wait) = section.duration(
        "start_wait",
        Duration::from_millis(1)..=Duration::from_secs(3600),
        why,
        report,
    ) {
        cluster.start_wait = wait.value;
    }
    if let Some(wait) = section.flag("wait_for_peer", report) {
        cluster.wait_for_peer = wait;
    }
    if let Some(notify) = section.text("notify", report) {
        if !notify.value.starts_with('/') {
            report.add(
                &notify.span,
                format!("{} is not an absolute path", quoted(notify.value)),
                "write it from the root: \"/usr/local/bin/ha-notify\"; it is run without a shell",
            );
        } else if notify.value.contains(char::is_whitespace) {
            report.add(
                &notify.span,
                format!("`{}` is no program: it has spaces", notify.value),
                "name a program alone: it is run without a shell and without arguments, and reads JSON on stdin",
            );
        }
        report.mark(Subject::Program(notify.value.to_owned()), &notify.span);
        cluster.notify = Some(notify.value.into());
    }
    cluster.notify_user = user::read(&section, "notify_user", report);
    if cluster.notify_user.is_some() && section.lacks("notify") {
        let what = "`notify_user` without `notify`";
        let help = "delete it, or name the program that it is to run";
        report.add(&section.key_span("notify_user"), what, help);
    }
    cluster
}

fn keys(
    section: &Section,
    read_secret: ReadSecret,
    check_private: CheckPrivate,
    report: &mut Report,
) -> Vec<Vec<u8>> {
    if section.value("key").is_none() && section.value("key_file").is_none() {
        if !(section.lacks("key") && section.lacks("key_file")) {
            return Vec::new();
        }
        report.add(
            &section.span,
            "[cluster] has neither `key_file` nor `key`",
            "add `key_file = \"/etc/ha-appliance/key\"`; `ha-appliance keygen` makes its content",
        );
        return Vec::new();
    }
    if section.value("key").is_some() && section.value("key_file").is_some() {
        let span = section.key_span("key");
        let there = report.line_column(&section.key_span("key_file"));
        report.add(
            &span,
            format!("both `key` and `key_file` (line {there})"),
            "delete one of them; `key_file` is the safer, since ha.toml gets shown around",
        );
        return Vec::new();
    }
    if let Some(key) = section.text("key", report) {
        if let Err((what, help)) = check_private() {
            report.add(&section.key_span("key"), what, help);
        }
        return match key::parse(key.value) {
            Ok(key) => vec![key],
            Err((_, what, help)) => {
                report.add(&key.span, format!("`key`: {what}"), help);
                Vec::new()
            }
        };
    }
    let Some(file) = section.text("key_file", report) else {
        return Vec::new();
    };
    let path = beside(report.path, file.value);
    let text = match read_secret(&path, Secret::Key) {
        Ok(text) => text,
        Err((what, help)) => {
            report.add(&file.span, what, help);
            return Vec::new();
        }
    };
    match key::parse_file(&path, &text) {
        Ok(keys) => keys,
        Err(Mistake {
            place: None,
            what,
            help,
        }) => {
            report.add(&file.span, what, help);
            Vec::new()
        }
        Err(elsewhere) => {
            report.add_elsewhere(&file.span, elsewhere);
            Vec::new()
        }
    }
}

/// A relative path counts from ha.toml's own directory, wherever the daemon was started.
pub fn beside(config: &Path, file: &str) -> PathBuf {
    config.parent().unwrap_or(Path::new("")).join(file)
}

//! README.md as its readers follow it: its commands are run, and its files written, where it says so.
//! A fenced block that is to be followed tells the place behind its language: `sh on lb1`, `sh on both`,
//! `sh elsewhere` (a client's machine), or `toml` with the path of the file on lb1.

use crate::ensure;
use crate::lab::Outcome;
use crate::machine::in_repository;
use crate::net::{Host, NODES};
use crate::node::Node;
use crate::pair::Pair;
use crate::sys;
use std::process::{Command, Stdio};

/// A block of README, at the place where it belongs.
pub enum Step {
    /// Shell commands of a node.
    On(Host, String),
    /// Shell commands of a client.
    Elsewhere(String),
    /// A file of lb1.
    File(String, String),
}

/// What a section says that its readers should do, in order.
pub fn steps(section: &str) -> Outcome<Vec<Step>> {
    let mut steps = Vec::new();
    for (words, text) in blocks(section)? {
        match words.split_whitespace().collect::<Vec<_>>()[..] {
            ["sh", "on", "both"] => steps.extend(NODES.map(|host| Step::On(host, text.clone()))),
            ["sh", "on", name] => {
                let host = NODES.into_iter().find(|host| host.node_name() == name);
                let host = host.ok_or_else(|| format!("README.md knows no node {name}"))?;
                steps.push(Step::On(host, text));
            }
            ["sh", "elsewhere"] => steps.push(Step::Elsewhere(text)),
            ["toml", path] => steps.push(Step::File(path.into(), text)),
            _ => {}
        }
    }
    ensure!(!steps.is_empty(), "README.md has no steps in {section:?}");
    Ok(steps)
}

/// What a section shows as the answers to a command.
pub fn samples(section: &str, command: &str) -> Outcome<Vec<String>> {
    let mut samples = Vec::new();
    for (_, text) in blocks(section)? {
        // Each begins with a prompt.
        for sample in format!("\n{text}").split("\n# ") {
            let answer = sample.strip_prefix(command);
            let answer = answer.and_then(|answer| answer.strip_prefix('\n'));
            samples.extend(answer.map(str::to_owned));
        }
    }
    Ok(samples)
}

/// Fails if a command prints another page than README shows. Numbers may differ, and so columns.
pub fn alike(shown: &str, printed: &str) -> Outcome {
    ensure!(
        masked(shown) == masked(printed),
        "README.md shows:\n{shown}\nbut it prints:\n{printed}"
    );
    Ok(())
}

/// A page without times, durations and other plain numbers.
fn masked(page: &str) -> String {
    let plain = |word: &&str| {
        let word = word.trim_end_matches([':', ';', ',']);
        let clock =
            word.split(':').count() == 3 && word.split(':').all(|n| n.parse::<u8>().is_ok());
        let month = MONTHS.contains(&word);
        let number = word.parse::<f64>().is_ok() || clock || month;
        !number && !["ms", "s", "m", "h"].contains(&word)
    };
    let words: Vec<&str> = page.split_whitespace().filter(plain).collect();
    words.join(" ")
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Does one step, and gives what it printed.
pub fn follow(pair: &mut Pair, step: &Step) -> Outcome<String> {
    match step {
        // Readers do not look so soon.
        Step::On(host, text) if text == "ha-appliance status\n" => {
            pair.status(*host, 0, "all well")
        }
        Step::On(host, text) => {
            pair.note(format!("{}# {text}", pair.net.name(*host)));
            pair.node(*host).run(&format!("set -e\ncd /root\n{text}"))
        }
        Step::Elsewhere(text) => elsewhere(pair, text),
        Step::File(path, text) => {
            pair.node(Host::A).write(path, text)?;
            Ok(String::new())
        }
    }
}

/// Runs shell commands on a client's machine.
pub fn elsewhere(pair: &Pair, text: &str) -> Outcome<String> {
    let mut command = Command::new("/bin/sh");
    command.args(["-e", "-c", text]).stdin(Stdio::null());
    sys::place(&mut command, &pair.net.netns(Host::Client), &[])?;
    let output = command.output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{text}`: {complaint}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Makes both nodes what README expects: two Debian boxes whose nginx runs, which root of lb1 reaches
/// by ssh, and the archive that scripts/build made.
pub fn prepare(pair: &mut Pair) -> Outcome {
    let archive = Node::program().with_file_name("ha-appliance.tar.gz");
    let archive = std::fs::read(&archive).map_err(|e| {
        let path = archive.display();
        format!("{path}: {e}: start the lab by scripts/lab, which makes it")
    })?;
    for host in NODES {
        let node = pair.node(host);
        node.write("/root/ha-appliance.tar.gz", &archive)?;
        node.run("systemctl --quiet enable --now ssh nginx")?;
    }
    let key = pair.node(Host::A).run(
        "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; cat /root/.ssh/id_ed25519.pub",
    )?;
    let known = pair
        .node(Host::B)
        .run("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub")?;
    pair.node(Host::B)
        .write("/root/.ssh/authorized_keys", key)?;
    pair.node(Host::A)
        .write("/root/.ssh/known_hosts", format!("* {known}"))?;
    Ok(())
}

/// The fenced blocks of a section: what stands behind the fence, and the text, without the
/// indentation of the list that it is in.
fn blocks(section: &str) -> Outcome<Vec<(String, String)>> {
    let readme = std::fs::read_to_string(in_repository("README.md"))?;
    let mut blocks: Vec<(String, String)> = Vec::new();
    let (mut here, mut fence) = (false, None);
    for line in readme.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        match (fence, text.strip_prefix("```")) {
            (None, None) if line.starts_with("## ") => here = line[3..] == *section,
            (None, None) => {}
            (None, Some(words)) => {
                fence = Some(indent);
                blocks.extend(here.then(|| (words.to_owned(), String::new())));
            }
            (Some(_), Some("")) => fence = None,
            (Some(indent), _) if here => {
                let (_, block) = blocks.last_mut().expect("a fence before it");
                *block += line.get(indent..).unwrap_or_default();
                block.push('\n');
            }
            (Some(_), _) => {}
        }
    }
    Ok(blocks)
}

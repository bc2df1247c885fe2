//! The command line.
//!
//! argh knows no global options after a subcommand and no `--option=value`; the macro below gives
//! the options that all share to each subcommand, and `--option=value` is split beforehand.

use super::exit::Exit;
use super::out;
use crate::shell::options::Options;
use argh::FromArgs;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

/// Keeps virtual IPs and services on exactly one of two nodes.
#[derive(FromArgs, Debug)]
#[argh(
    note = "`{command_name} SUBCOMMAND --help` tells more.",
    error_code(0, "done, or all is well"),
    error_code(
        1,
        "refused or failed; `check`: something cannot run here; `status`: degraded"
    ),
    error_code(2, "`status`: blocked, or nobody active"),
    error_code(3, "no daemon here, or it does not respond"),
    error_code(64, "the command line is not understood"),
    error_code(78, "ha.toml is wrong")
)]
pub(super) struct Args {
    #[argh(subcommand)]
    pub(super) command: Subcommand,
}

/// Why there is nothing to run: help was asked for, or the line was not understood.
#[derive(Debug)]
pub(super) enum Stop {
    /// For stdout, exit code 0.
    Told(String),
    /// For stderr, exit code 64.
    NotUnderstood(String),
}

impl Args {
    /// From the words of the command line, the program's name first.
    pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<Args, Stop> {
        let words: Result<Vec<String>, OsString> =
            words.skip(1).map(OsString::into_string).collect();
        let words = words.map_err(|word| Stop::NotUnderstood(format!("{word:?} is not UTF-8")))?;
        let words = words.iter().flat_map(|word| split(word));
        let words: Vec<&str> = words
            .map(|w| if w == "-h" { "--help" } else { w })
            .collect();
        match words.first() {
            Some(&("--version" | "-V")) => return Err(Stop::Told(super::version())),
            Some(&word) if !word.starts_with('-') && word != "help" && !names().contains(&word) => {
                return Err(Stop::NotUnderstood(unknown(word)));
            }
            _ => {}
        }
        Args::from_args(&["ha-appliance"], &words).map_err(|early| match early.status {
            Ok(()) => Stop::Told(early.output),
            Err(()) => Stop::NotUnderstood(format!(
                "{}\n`ha-appliance --help` lists what there is",
                early.output.trim_end()
            )),
        })
    }
}

impl Stop {
    /// Says so, and gives the exit code.
    pub(super) fn exit(self) -> ExitCode {
        match self {
            Stop::Told(text) => out::print(&text),
            Stop::NotUnderstood(text) => out::fail(Exit::Usage, text),
        }
        .into()
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SwitchedTo {
    On,
    Off,
}

impl FromStr for SwitchedTo {
    type Err = &'static str;
    fn from_str(word: &str) -> Result<SwitchedTo, &'static str> {
        match word {
            "on" => Ok(SwitchedTo::On),
            "off" => Ok(SwitchedTo::Off),
            _ => Err("say `on` or `off`"),
        }
    }
}

/// How many; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lines(pub(super) usize);

impl FromStr for Lines {
    type Err = &'static str;
    fn from_str(word: &str) -> Result<Lines, &'static str> {
        let count = word.parse().ok().filter(|count| *count > 0);
        count.map(Lines).ok_or("say a whole number from 1")
    }
}

/// Declares the subcommands: their enum, and each as a struct that also has what all take. Types are
/// taken apart, since argh looks at their tokens and a whole `ty` is opaque to it.
macro_rules! subcommands {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $word:tt { $( $(#[$field_meta:meta])* $field:ident: $type:ident $(<$inner:ident>)?, )* }
    )*) => {
        #[derive(FromArgs, Debug)]
        #[argh(subcommand)]
        pub(super) enum Subcommand {
            $( $variant($variant), )*
        }

        impl Subcommand {
            /// What all take.
            pub(super) fn options(&self) -> Options {
                match self {
                    $( Subcommand::$variant(it) => Options {
                        config: it.config.clone(),
                        node: it.node.clone(),
                        run_dir: it.run_dir.clone(),
                        state_dir: it.state_dir.clone(),
                    }, )*
                }
            }
        }

        $(
            $(#[$doc])*
            #[derive(FromArgs, Debug)]
            #[argh(subcommand, name = $word)]
            pub(super) struct $variant {
                $( $(#[$field_meta])* pub(super) $field: $type $(<$inner>)?, )*
                /// ha.toml (default /etc/ha-appliance/ha.toml)
                #[argh(option, arg_name = "path", default = "Options::default().config")]
                config: PathBuf,
                /// which node this is (default: by host name)
                #[argh(option, arg_name = "name")]
                node: Option<String>,
                /// lock, pid and status (default /run/ha-appliance)
                #[argh(option, arg_name = "dir", default = "Options::default().run_dir")]
                run_dir: PathBuf,
                /// state and history (default /var/lib/ha-appliance)
                #[argh(option, arg_name = "dir", default = "Options::default().state_dir")]
                state_dir: PathBuf,
            }
        )*

        /// Every subcommand's word.
        pub(super) fn names() -> &'static [&'static str] {
            &[$( $word ),*]
        }
    };
}

subcommands! {
    /// Run the daemon, in the foreground: systemd does.
    Run = "run" {}
    /// Check ha.toml: print what this node understands, worst-case times and warnings; or what is wrong, with exit code 78. Exit code 1: it is right, but something that it names cannot run here.
    Check = "check" {
        /// ask each device that switches the other node off for its power, now
        #[argh(switch)]
        live: bool,
    }
    /// Show who is active and why. Exit code 0: well, 1: degraded, 2: blocked or nobody active, 3: no daemon.
    Status = "status" {
        /// one group only (default: everything)
        #[argh(positional)]
        group: Option<String>,
        /// print one line
        #[argh(switch)]
        brief: bool,
        /// print status.json, judged now and with wall-clock times, instead of a page
        #[argh(switch)]
        json: bool,
        /// draw the page again every second; q ends it
        #[argh(switch)]
        watch: bool,
    }
    /// Move a group to the other node, or all groups of this node; if it has none, those of the peer come here.
    Failover = "failover" {
        /// the group (default: all of this node, else all of the peer)
        #[argh(positional)]
        group: Option<String>,
        /// where it is to run; nothing happens if it does already
        #[argh(option, arg_name = "node")]
        to: Option<String>,
        /// though it is not known what the other node's file lacks
        #[argh(switch)]
        yes: bool,
    }
    /// Put a node in standby: what it runs moves to the other, and it takes nothing. It outlasts a reboot.
    Standby = "standby" {
        /// the node (default: this one)
        #[argh(positional, arg_name = "node")]
        node_name: Option<String>,
        /// though nobody else could run its groups
        #[argh(switch)]
        yes: bool,
    }
    /// End a node's standby.
    Online = "online" {
        /// the node (default: this one)
        #[argh(positional, arg_name = "node")]
        node_name: Option<String>,
    }
    /// Begin or end maintenance of the pair: nothing is started, stopped, moved or taken over. It outlasts a reboot.
    Maintenance = "maintenance" {
        /// which
        #[argh(positional, arg_name = "on|off")]
        state: SwitchedTo,
    }
    /// Stop a group on both nodes: it runs nowhere until `start`. It outlasts a reboot.
    StopGroup = "stop" {
        /// the group
        #[argh(positional)]
        group: String,
        /// though it is served now
        #[argh(switch)]
        yes: bool,
    }
    /// Let a stopped group run again.
    Start = "start" {
        /// the group
        #[argh(positional)]
        group: String,
    }
    /// Forget fail counts; look again at what failed to stop, and stop once more what is still there.
    Clear = "clear" {
        /// the group (default: all)
        #[argh(positional)]
        group: Option<String>,
    }
    /// Say that you have seen with your own eyes that the silent peer is off, so that this node may take over. If it is not off, both nodes will run everything.
    ConfirmFenced = "confirm-fenced" {
        /// the peer's name
        #[argh(positional, arg_name = "node")]
        node_name: String,
        /// you have seen that it is off
        #[argh(switch)]
        yes: bool,
        /// though something that is not proven speaks for its life
        #[argh(switch)]
        despite_signs_of_life: bool,
    }
    /// Say that what this node has of a DRBD resource is good enough, though the other node's data may be newer, which is given up then. Whether the other node is off is another question: see `confirm-fenced`.
    AcceptData = "accept-data" {
        /// the resource, as DRBD calls it
        #[argh(positional)]
        resource: String,
        /// the newer data is lost, or not wanted
        #[argh(switch)]
        yes: bool,
    }
    /// Switch the other node off, at once and hard, by its device in ha.toml: what runs there is taken over here.
    Fence = "fence" {
        /// the other node's name
        #[argh(positional, arg_name = "node")]
        node_name: String,
        /// to see that it works: only while it serves nothing, and it is switched on again
        #[argh(switch)]
        rehearse: bool,
        /// its power may be cut
        #[argh(switch)]
        yes: bool,
    }
    /// Let the daemon read ha.toml again, and print its verdict; if anything is wrong the old one stays in force.
    Reload = "reload" {
        /// only say what would change, or what is wrong
        #[argh(switch)]
        dry_run: bool,
    }
    /// Look at both nodes from this one, for what keeps the pair from working or would let it fail. Exit code 0: all is well, 1: warnings, 2: errors.
    Doctor = "doctor" {
        /// print the findings as JSON, one a line
        #[argh(switch)]
        json: bool,
    }
    /// Make a key, which both nodes share, and print it.
    Keygen = "keygen" {
        /// write it to the key_file of ha.toml instead, unless that exists
        #[argh(switch)]
        write: bool,
    }
    /// Remove all VIPs of ha.toml from this node, then stop its services that run on one node only. Refused while the daemon runs, and in maintenance.
    Release = "release" {}
    /// Print what happened lately on both nodes, with the reasons; the other node's as it told them.
    History = "history" {
        /// of this node only
        #[argh(switch)]
        here: bool,
        /// how many (default 50)
        #[argh(option, short = 'n', arg_name = "n", default = "Lines(50)")]
        lines: Lines,
        /// print them as JSON, one a line
        #[argh(switch)]
        json: bool,
    }
    /// Print the version.
    Version = "version" {}
}

/// `--option=value` as two words.
fn split(word: &str) -> Vec<&str> {
    match word.split_once('=') {
        Some((option, value)) if option.starts_with("--") => vec![option, value],
        _ => vec![word],
    }
}

fn unknown(word: &str) -> String {
    let hint = elsewhere(word).map_or_else(|| nearest(word), str::to_owned);
    format!("`{word}` is no subcommand of ha-appliance; {hint}")
}

/// Those that change nothing: a slip of the finger may be taken for one of them, and never for an order.
const HARMLESS: [&str; 6] = ["status", "history", "doctor", "check", "version", "help"];

fn nearest(word: &str) -> String {
    let similar = HARMLESS
        .iter()
        .map(|name| (distance(word, name), name))
        .min();
    match similar {
        Some((distance, name)) if distance <= 2 => format!("did you mean `{name}`?"),
        _ => format!("there are: {}", names().join(", ")),
    }
}

/// What pcs, crm and others call what is here.
fn elsewhere(word: &str) -> Option<&'static str> {
    Some(match word {
        "cleanup" | "refresh" | "failcount" => "here that is `clear [GROUP]`",
        "move" | "migrate" | "relocate" | "switchover" | "ban" => {
            "here that is `failover [GROUP] --to NODE`; it leaves no constraint behind"
        }
        "unmove" | "unmigrate" | "clear-constraint" => {
            "there is nothing to undo after a `failover`: it leaves no constraint behind"
        }
        "unstandby" => "here that is `online [NODE]`",
        "pcs" | "crm" | "show" | "mon" | "crm_mon" | "monitor" | "state" | "list" => {
            "here that is `status`"
        }
        "disable" => "here that is `stop GROUP`",
        "enable" => "here that is `start GROUP`",
        "unmaintenance" | "manage" => "here that is `maintenance off`",
        "unmanage" => "here that is `maintenance on`, of the pair",
        "verify" | "validate" | "config" | "configure" | "configtest" => {
            "ha.toml is the configuration, and `check` verifies it"
        }
        "log" | "logs" | "events" => "here that is `history`",
        "stonith" => "here that is `fence NODE`",
        "fence_ack_manual" | "confirm" => {
            "`status` says what is known of the other node, and only if you have seen with your own eyes that it is off, \
             `confirm-fenced NODE` says so"
        }
        "resource" | "node" | "cluster" | "property" | "constraint" | "quorum" => {
            "say what to do first: `status`, `failover [GROUP] --to NODE`, `standby NODE`, `clear [GROUP]`"
        }
        "restart" => {
            "the daemon is restarted by `systemctl restart ha-appliance`: it hands over or stops first what it runs, but \
             in maintenance keeps it"
        }
        _ => return None,
    })
}

/// Letters to add, drop or change between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, Stop> {
        Args::parse(
            ["ha-appliance"]
                .into_iter()
                .chain(line.split_whitespace())
                .map(OsString::from),
        )
    }

    fn refusal(line: &str) -> String {
        match parse(line) {
            Err(Stop::NotUnderstood(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_subcommand_takes_the_shared_options() {
        for name in names() {
            let more = match *name {
                "stop" | "start" => " web",
                "confirm-fenced" | "fence" => " lb2",
                "maintenance" => " on",
                "accept-data" => " r0",
                _ => "",
            };
            parse(&format!(
                "{name}{more} --config /c --node=lb1 --run-dir /r --state-dir=/s"
            ))
            .expect(name);
        }
        let args = parse("failover --run-dir=/r web").expect("understood");
        let run_dir = "/r".into();
        assert_eq!(
            args.command.options(),
            Options {
                run_dir,
                ..Options::default()
            }
        );
        assert!(
            matches!(args.command, Subcommand::Failover(f) if f.group.as_deref() == Some("web"))
        );
    }

    #[test]
    fn refusals_say_what_would_be_right() {
        assert_eq!(
            refusal("statsu"),
            "`statsu` is no subcommand of ha-appliance; did you mean `status`?"
        );
        assert!(refusal("docter").ends_with("did you mean `doctor`?"));
        assert!(refusal("stonith").ends_with("`fence NODE`"));
        for word in ["confirm", "fence_ack_manual"] {
            let told = refusal(word);
            let condition =
                "only if you have seen with your own eyes that it is off, `confirm-fenced NODE`";
            assert!(told.contains(condition), "{told}");
        }
        for slip in [
            "stauts", "strat", "stpo", "reloda", "standbye", "onlin", "cleer",
        ] {
            let told = refusal(slip);
            let (_, hint) = told.split_once("; ").unwrap();
            let read_only = HARMLESS
                .iter()
                .any(|name| hint == format!("did you mean `{name}`?"));
            assert!(read_only || hint.starts_with("there are: "), "{told}");
        }
        for (word, here) in [
            ("cleanup", "`clear [GROUP]`"),
            ("move", "`failover [GROUP] --to NODE`"),
            ("unstandby", "`online [NODE]`"),
            ("show", "`status`"),
        ] {
            assert!(refusal(word).contains(here), "{}", refusal(word));
        }
        assert!(refusal("frobnicate").contains("there are: run, check, status, failover"));
        assert!(
            refusal("maintenance maybe").contains("say `on` or `off`"),
            "{}",
            refusal("maintenance maybe")
        );
        assert!(refusal("stop").contains("group"), "{}", refusal("stop"));
        assert!(refusal("status --jsno").contains("--jsno"));
        assert!(refusal("").contains("--help"));
    }

    #[test]
    fn help_and_version_are_told() {
        for line in ["--version", "-V"] {
            assert!(
                matches!(parse(line), Err(Stop::Told(text)) if text.starts_with("ha-appliance 0."))
            );
        }
        for line in ["--help", "help", "status --help"] {
            assert!(
                matches!(parse(line), Err(Stop::Told(text)) if text.contains("Usage: ha-appliance")),
                "{line}"
            );
        }
    }
}

//! A lab of two whole systems, and words for what their administrators do to them.

use crate::client::Client;
use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::machine::{Ended, Machine, in_repository};
use crate::net::{Host, NODES};
use crate::sys::{self, Micros, now};
use crate::system::System;
use crate::toml::KEY;
use std::path::PathBuf;
use std::time::Duration;

/// Two machines.
pub type Pair = Lab<Machine>;

/// A planned move takes less on a busy machine, nginx's or Apache's stop and start included.
pub const PLANNED: Duration = Duration::from_millis(1500);
/// Detection, the probe, the takeover and the service's start.
pub const UNPLANNED: Duration = Duration::from_secs(3);

impl Pair {
    /// Restarts a node as its administrator does. Gives when that was said; returns when the node
    /// is up again.
    pub fn reboot(&mut self, host: Host) -> Outcome<Micros> {
        let at = now();
        self.on(host, "systemctl reboot")?;
        ensure!(self.ended(host)? == Ended::Reboot, "it did not reboot");
        self.power_on(host)?;
        Ok(at)
    }

    /// Switches a node off as its administrator does; returns when it is off.
    pub fn power_off(&mut self, host: Host) -> Outcome<Micros> {
        let at = now();
        self.on(host, "systemctl poweroff")?;
        ensure!(self.ended(host)? == Ended::PowerOff, "it did not power off");
        Ok(at)
    }

    /// Waits until a node has shut down; its network ends with it.
    fn ended(&mut self, host: Host) -> Outcome<Ended> {
        let asked = now();
        let ended = self.node(host).ended(Duration::from_secs(100))?;
        self.record.figure("shutdown", sys::since(asked));
        self.power_cut(host)?;
        Ok(ended)
    }

    /// From now on the scenario fails if a unit runs on both nodes at once.
    pub fn only_one_runs(&mut self, unit: &'static str) {
        let lists = NODES.map(|host| self.node(host).processes_of(unit));
        let record = self.record.clone();
        // It ends with this process, which runs one scenario.
        std::thread::spawn(move || {
            let runs = |list: &PathBuf| std::fs::read(list).is_ok_and(|pids| !pids.is_empty());
            while !lists.iter().all(runs) {
                std::thread::sleep(Duration::from_millis(2));
            }
            record.violation(format!("{unit} runs on both nodes"));
        });
    }
}

impl<S: System> Lab<S> {
    /// Installs the appliance on both, with a shipped ha.toml in which some words are replaced.
    pub fn install(&mut self, config: &str, edits: &[(&str, &str)]) -> Outcome {
        let mut text = std::fs::read_to_string(in_repository(config))?;
        for (old, new) in edits {
            ensure!(text.contains(old), "{config} does not say {old:?}");
            text = text.replace(old, new);
        }
        for host in NODES {
            self.node(host).install(&text, KEY)?;
        }
        Ok(())
    }

    /// Puts a page on each that names it.
    pub fn write_pages(&mut self) -> Outcome {
        for host in NODES {
            let page = format!("served by {}\n", self.net.name(host));
            self.node(host)
                .write("/var/www/html/test.html", &page, 0o644)?;
        }
        Ok(())
    }

    /// Runs a shell command on a node; it must succeed.
    pub fn on(&mut self, host: Host, line: &str) -> Outcome<String> {
        self.note(format!("{}# {line}", self.net.name(host)));
        self.node(host).run(line)
    }

    /// The same on both, one after the other.
    pub fn on_both(&mut self, line: &str) -> Outcome {
        NODES
            .into_iter()
            .try_for_each(|host| self.on(host, line).map(drop))
    }

    /// Waits until exactly one holds the VIP, the page comes from it, and both hear each other.
    /// Gives the holder and the browser.
    pub fn up(&mut self) -> Outcome<(Host, Client)> {
        self.up_with("/test.html")
    }

    /// The same with another page.
    pub fn up_with(&mut self, page: &'static str) -> Outcome<(Host, Client)> {
        // A start that fails at once, and moves the group on, takes about as long as counts as settled.
        self.settled(S::PATIENCE)?;
        std::thread::sleep(Duration::from_millis(300));
        let holder = self.settled(S::PATIENCE)?;
        let browser = Client::browse(&self.net, page, S::HTTP_PERIOD)?;
        browser.answered(Some(holder), S::PATIENCE)?;
        self.both_alive()?;
        self.note(format!("the pair is up, {} serves", self.net.name(holder)));
        Ok((holder, browser))
    }

    /// A client that gets the page over the VIP from now on.
    pub fn browser(&self) -> Outcome<Client> {
        Ok(Client::browse(&self.net, "/test.html", S::HTTP_PERIOD)?)
    }

    /// Whether a unit runs on a node.
    pub fn runs(&mut self, host: Host, unit: &str) -> Outcome<bool> {
        let asked = format!("systemctl --quiet is-active {unit}");
        Ok(self.node(host).try_run(&asked)?.status.success())
    }

    /// Waits until a unit runs on this node and not on the other.
    pub fn runs_only_on(&mut self, host: Host, unit: &str) -> Outcome {
        let asked = now();
        while (self.runs(host, unit)?, self.runs(host.peer(), unit)?) != (true, false) {
            ensure!(
                sys::since(asked) < S::PATIENCE,
                "{unit} does not run on {} alone",
                self.net.name(host)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits until `ha-appliance status` on a node ends with this code and says this; gives all
    /// that it says.
    pub fn status(&mut self, host: Host, code: i32, word: &str) -> Outcome<String> {
        let asked = now();
        loop {
            // In lines as long as they are: what is looked for may stand anywhere.
            let output = self
                .node(host)
                .try_run("COLUMNS=1000 ha-appliance status")?;
            let page = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.code() == Some(code) && page.contains(word) {
                return Ok(page);
            }
            ensure!(
                sys::since(asked) < S::PATIENCE,
                "status of {} is not {code} with {word:?}: {}\n{page}",
                self.net.name(host),
                output.status
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the `ha-appliance history` of a node has a line that says all of this; gives that line. What
    /// happened on the other node is told after how things stand.
    pub fn history(&mut self, host: Host, words: &[&str]) -> Outcome<String> {
        let asked = now();
        loop {
            let told = self.node(host).run("ha-appliance history")?;
            let mut lines = told.lines();
            if let Some(line) = lines.find(|line| words.iter().all(|word| line.contains(word))) {
                return Ok(line.to_owned());
            }
            ensure!(
                sys::since(asked) < S::PATIENCE,
                "the history of {} has no line with {words:?}:\n{told}",
                self.net.name(host)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a node's daemon answers, and both hear each other. What a dead one wrote stays
    /// where it is, so the status alone does not tell.
    pub fn daemon_is_back(&mut self, host: Host) -> Outcome {
        self.daemon_answers(host)?;
        self.both_alive()
    }

    /// Waits until a daemon that was restarted answers.
    pub fn daemon_answers(&mut self, host: Host) -> Outcome {
        let asked = now();
        while self
            .node(host)
            .try_run("ha-appliance status")?
            .status
            .code()
            == Some(3)
        {
            ensure!(
                sys::since(asked) < S::PATIENCE,
                "the daemon of {} is not back",
                self.net.name(host)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What a node's daemon says that the one group is there.
    pub fn role(&mut self, host: Host) -> Outcome<String> {
        let status = self.on(host, "cat /run/ha-appliance/status.json")?;
        let status: serde_json::Value = serde_json::from_str(&status)?;
        let role = status["groups"][0]["role"].as_str();
        Ok(role.ok_or("a status without a role")?.to_string())
    }

    /// Sends a signal to a node's daemon.
    pub fn signal(&mut self, host: Host, signal: &str) -> Outcome {
        let line = format!("systemctl kill --kill-whom=main --signal={signal} ha-appliance");
        self.on(host, &line).map(drop)
    }

    /// Kills a unit's main process.
    pub fn kill(&mut self, host: Host, unit: &str) -> Outcome<Micros> {
        let at = now();
        self.on(
            host,
            &format!("systemctl kill --kill-whom=main --signal=KILL {unit}"),
        )?;
        Ok(at)
    }

    /// Stops a node as a hypervisor does that pauses it.
    pub fn freeze(&mut self, host: Host) -> Micros {
        self.node(host).set_frozen(true);
        self.note(format!("freeze {}", self.net.name(host)))
    }

    /// Lets a frozen node go on.
    pub fn thaw(&mut self, host: Host) -> Micros {
        let at = self.note(format!("thaw {}", self.net.name(host)));
        self.node(host).set_frozen(false);
        at
    }

    /// The page came from `to` at last; notes how long it was away since `from`, and fails if that
    /// was longer than allowed.
    pub fn moved(
        &mut self,
        browser: &Client,
        to: Host,
        from: Micros,
        at_most: Duration,
    ) -> Outcome {
        browser.answered(Some(to), S::PATIENCE)?;
        let outage = browser.outage(from);
        self.record.figure("HTTP outage", outage.length());
        self.note(format!("the page was away for {:?}", outage.length()));
        ensure!(
            outage.length() < at_most,
            "the page was away for {:?}, not less than {at_most:?}",
            outage.length()
        );
        Ok(())
    }
}

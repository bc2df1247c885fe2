//! A new ha.toml: read and held against this machine away from the loop, since disks and systemd may keep
//! one waiting; then put in force in one turn, or refused.

use super::*;
use crate::agents::mount::Target;
use crate::config::{Group, Kind, Misfit, misfits};
use crate::shell::machine::{Asked, Looked};

/// Reloads that were asked for.
#[derive(Default)]
pub(super) struct Reload {
    /// Who waits for the one under way: orders by their numbers. None: none is under way.
    under_way: Option<Vec<u16>>,
    /// What was asked for since, which needs another look at the file.
    next: Option<Vec<u16>>,
    read: Rc<RefCell<Option<Read>>>,
    /// What was read to be tried out only, for these orders.
    tried: Rc<RefCell<VecDeque<(u16, Read)>>>,
}

/// What a daemon is known by.
const RESTART: &str = "cannot change while running: `ha-appliance maintenance on`, then `systemctl restart ha-appliance` on \
    each node whose file changed, then `ha-appliance maintenance off`; what runs stays";

/// The new configuration and what it was held against; or what is wrong with it.
type Read = Result<(Config, Looked), String>;

impl Reload {
    /// One that was read waits to be judged.
    pub(super) fn is_due(&self) -> bool {
        self.read.borrow().is_some() || !self.tried.borrow().is_empty()
    }
}

impl Daemon {
    /// Begins to read ha.toml, for an order or for nobody. The order is answered when it is in force.
    pub(super) fn reload(&mut self, order: Option<u16>) {
        if self.reload.under_way.is_some() {
            return self.reload.next.get_or_insert_default().extend(order);
        }
        self.reload.under_way = Some(order.into_iter().collect());
        self.supervisor.reloading();
        let (host, peer) = (self.network.host().clone(), self.peer_addresses());
        let (path, read) = (self.options.config.clone(), self.reload.read.clone());
        let task = async move {
            let found = self::read(path, host, peer).await;
            *read.borrow_mut() = Some(found);
        };
        self.executor.spawn(task).detach();
    }

    /// Begins to read ha.toml only to say what it would change.
    pub(super) fn try_out(&mut self, order: u16) {
        let (host, peer) = (self.network.host().clone(), self.peer_addresses());
        let (path, tried) = (self.options.config.clone(), self.reload.tried.clone());
        let task = async move {
            let found = read(path, host, peer).await;
            tried.borrow_mut().push_back((order, found));
        };
        self.executor.spawn(task).detach();
    }

    fn finish_trying(&mut self) {
        let tried = self.reload.tried.borrow_mut().pop_front();
        let Some((order, found)) = tried else { return };
        let verdict = found.and_then(|(config, looked)| {
            self.refuse(&config, &looked)?;
            let changes = self.changes(&config);
            let released = released(&self.config, &config);
            Ok(match changes.is_empty() {
                true => "nothing would change: what the file sets is in force".into(),
                false => format!(
                    "a reload would change:\n  {}{released}",
                    changes.join("\n  ")
                ),
            })
        });
        let (accepted, text) = match verdict {
            Ok(text) => (true, text),
            Err(text) => (false, format!("a reload would be refused: {text}")),
        };
        self.answered(order.into(), accepted, text);
    }

    /// Judges what was read: puts it in force, or keeps the configuration before if anything is wrong.
    pub(super) fn finish_reload(&mut self) {
        self.finish_trying();
        let Some(found) = self.reload.read.take() else {
            return;
        };
        let verdict = found.and_then(|(config, looked)| self.try_reload(config, looked));
        self.supervisor.reloaded();
        self.status.reload_error = verdict.clone().err();
        self.fit.read_anew();
        self.dirty = true;
        let (accepted, text) = match verdict {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        let orders = self.reload.under_way.take().unwrap_or_default();
        let told = match accepted {
            true => text.clone(),
            false => format!("refused, the configuration before stays in force: {text}"),
        };
        if orders.is_empty() {
            self.answered(0, accepted, told.clone());
        }
        for order in orders {
            self.tell_outcome(order.into(), accepted, &told);
            self.answers.finish(order, accepted, text.clone());
        }
        if let Some(next) = self.reload.next.take() {
            let mut orders = next.into_iter();
            self.reload(orders.next());
            self.reload.under_way.get_or_insert_default().extend(orders);
        }
    }

    /// What speaks against putting it in force.
    fn refuse(&self, config: &Config, looked: &Looked) -> Result<(), String> {
        if config.cluster.name != self.config.cluster.name {
            return Err(format!("cluster.name {RESTART}"));
        }
        let names = |c: &Config| c.nodes.each_ref().map(|n| n.name.clone());
        if names(config) != names(&self.config) {
            return Err(format!("the nodes' names {RESTART}"));
        }
        let view = self.node.view();
        let runs = |id| {
            let mut groups = view.groups.iter();
            groups.any(|g| g.id == id && g.role != crate::wire::heartbeat::Role::Stopped)
        };
        let dropped = self.config.groups.iter().find(|group| {
            runs(GroupId::of(&group.name)) && !config.groups.iter().any(|g| g.name == group.name)
        });
        if let Some(group) = dropped {
            let name = &group.name;
            return Err(format!(
                "group {name} runs here and is not in the new file: `ha-appliance stop {name}` first"
            ));
        }
        let runs = |group: &&Group| runs(GroupId::of(&group.name));
        let running = self.config.groups.iter().filter(runs);
        if let Some(why) = running.filter_map(|group| exchanged(group, config)).next() {
            return Err(why);
        }
        let against = against(&self.config, config, self.me, looked);
        if !against.is_empty() {
            let against: Vec<String> = against.iter().map(Misfit::to_string).collect();
            return Err(against.join("\n"));
        }
        Ok(())
    }

    /// What it would change, one line each.
    fn changes(&self, config: &Config) -> Vec<String> {
        let settings = self.config.settings.changes(&config.settings);
        settings
            .into_iter()
            .chain(self.keys_changed(config))
            .collect()
    }

    fn keys_changed(&self, config: &Config) -> Option<String> {
        let [me, peer] = [self.me, self.me.other()].map(|side| &self.config.node(side).name);
        keys_changed(&self.config.cluster.keys, &config.cluster.keys, me, peer)
    }

    fn try_reload(&mut self, config: Config, looked: Looked) -> Result<String, String> {
        self.refuse(&config, &looked)?;
        let keys = keyring(&config).map_err(|e| e.to_string())?;
        let host = self.network.host().clone();
        self.network.follow(&config, self.me, host);
        let hook = |config: &Config| {
            let cluster = &config.cluster;
            (cluster.notify.clone(), cluster.notify_user.clone())
        };
        if hook(&config) != hook(&self.config) {
            self.notifier = start_notifier(&config, &self.programs, &self.executor);
        }
        let changes = self.config.settings.changes(&config.settings).len();
        let keys_changed = self.keys_changed(&config);
        let released = released(&self.config, &config);
        let unknown = looked.trouble.as_ref();
        let unknown = unknown.map_or(String::new(), |why| format!("; {why}"));
        self.keys = keys;
        self.config = config;
        self.status.generation += 1;
        self.fit.saw(looked);
        self.reassemble();
        self.follow_devices();
        let host = self.network.host().clone();
        self.reconnect(host);
        self.network.look();
        self.fit.unloaded = None;
        self.tell_settings();
        let groups = self.config.groups.len();
        let plural = if groups == 1 { "" } else { "s" };
        let changed = match changes {
            0 if keys_changed.is_some() => "no setting changed".into(),
            0 => "nothing changed".into(),
            1 => "1 setting changed".into(),
            n => format!("{n} settings changed"),
        };
        let keys_changed = keys_changed.map_or(String::new(), |what| format!("; {what}"));
        Ok(format!(
            "{} is in force ({groups} group{plural}, {changed}){keys_changed}{released}{unknown}",
            self.options.config.display()
        ))
    }
}

async fn read(path: std::path::PathBuf, host: Host, peer: Vec<IpAddr>) -> Read {
    let config = smol::unblock(move || config::load(&path)).await;
    let config = config.map_err(|error| error.to_string())?;
    let looked = Asked::thoroughly(&config).look(host, peer).await;
    Ok((config, looked))
}

/// What speaks against a new file. That something is missing which the file before named as well is no reason:
/// it would keep everything else from being put right.
fn against(before: &Config, new: &Config, me: Side, looked: &Looked) -> Vec<Misfit> {
    let mut machine = looked.machine.clone();
    let (programs, users, units) = (before.programs(), before.users(), before.units());
    machine.strangers.retain(|user| !users.contains(user));
    machine
        .programs
        .retain(|program, _| !programs.contains(program));
    let mounts = before.mounts();
    machine
        .mounts
        .retain(|point, _| !mounts.iter().any(|known| known.point == *point));
    let known = |resource: &String| {
        let mut groups = before.groups.iter().filter_map(Group::drbd);
        groups.any(|drbd| drbd.resource == *resource)
    };
    machine.drbd.retain(|(resource, _)| !known(resource));
    for (unit, look) in &mut machine.units {
        if units.contains(unit) {
            look.unfit = None;
        }
    }
    let mut against = misfits(new, me, &machine);
    against.retain(|misfit| misfit.kind != Kind::Risky);
    against
}

/// What holds data of a group that runs here, and is no longer the same by the new file: nobody would unmount or demote
/// what is here, and nobody could start it elsewhere.
fn exchanged(group: &Group, new: &Config) -> Option<String> {
    let (name, mut others) = (&group.name, new.groups.iter());
    let other = others.find(|other| other.name == *name);
    let drbd = group.drbd().filter(|drbd| {
        let kept = other.and_then(Group::drbd);
        kept.is_none_or(|kept| kept.resource != drbd.resource)
    });
    let drbd = drbd.map(|drbd| format!("drbd {}", drbd.resource));
    let mut mounts = group.mounts().map(|mount| &mount.target).filter(|target| {
        let mut kept = other.into_iter().flat_map(Group::mounts);
        !kept.any(|kept| kept.target.is_the_same(target))
    });
    let mount = |target: &Target| format!("mount {} of {}", target.point, target.device);
    let what = drbd.or_else(|| mounts.next().map(mount))?;
    Some(format!(
        "{what} is in use here, by group {name}, and the new file has it no more: `ha-appliance stop {name}` first"
    ))
}

/// What becomes of the keys of the heartbeats, and of the other node by that.
fn keys_changed(before: &[Vec<u8>], after: &[Vec<u8>], me: &str, peer: &str) -> Option<String> {
    let without = |keys: &[Vec<u8>], others: &[Vec<u8>]| {
        keys.iter().filter(|key| !others.contains(key)).count()
    };
    let (new, gone) = (without(after, before), without(before, after));
    let what = match (new, gone) {
        (0, 0) if before == after => return None,
        (0, 0) => "the keys are in another order".into(),
        (new, 0) => format!("keys: {new} added"),
        (0, gone) => format!("keys: {gone} taken out"),
        (new, gone) => format!("keys: {new} new, {gone} taken out"),
    };
    // The first signs.
    let unknown = after.first().is_some_and(|key| !before.contains(key));
    let dropped = before.first().is_some_and(|key| !after.contains(key));
    let effect = match (unknown, dropped) {
        (true, _) => format!(": {peer} understands {me} only if it has the new one, too"),
        (false, true) => format!(": what {peer} still signs with the old one is dropped here"),
        (false, false) => String::new(),
    };
    Some(what + &effect)
}

/// What was kept running until now and is not any more, for people.
fn released(before: &Config, after: &Config) -> String {
    let units = |config: &Config| -> Vec<String> {
        let services = config.groups.iter().flat_map(Group::services);
        let mounts = config.mounts().into_iter().map(|target| target.point);
        services
            .map(|service| service.unit.clone())
            .chain(mounts)
            .collect()
    };
    let kept = units(after);
    let released: Vec<String> = units(before)
        .into_iter()
        .filter(|unit| !kept.contains(unit))
        .collect();
    match released.is_empty() {
        true => String::new(),
        false => format!(
            "; no longer looked after, and left as they are: {}",
            released.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its mount would be found by nobody, and its demotion refused for it.
    #[test]
    fn what_holds_data_and_runs_is_not_exchanged() {
        let of = |name: &str, resources: &str| {
            let text = format!(
                "[cluster]\nname = \"x\"\nkey_file = \"key\"\n[node.lb1]\nlinks = [\"10.1.1.1\"]\n[node.lb2]\nlinks = [\"10.1.1.2\"]\n\
                 [[group]]\nname = \"{name}\"\n{resources}"
            );
            let key = config::generate_key_line([1; 32]);
            config::parse_with_key_file(&text, std::path::Path::new("ha.toml"), &key).unwrap()
        };
        let both = |drbd: &str, device: &str, more: &str| {
            let (resource, service) = ("[[group.resource]]", "service = \"nginx.service\"");
            let mount =
                format!("mount = \"/mnt/data\"\ndevice = \"{device}\"\nfstype = \"ext4\"\n{more}");
            let text = format!(
                "{resource}\ndrbd = \"{drbd}\"\n{resource}\n{mount}\n{resource}\n{service}\n"
            );
            of("web", &text)
        };
        let before = both("r0", "/dev/drbd1", "");
        let told = |new: &Config| exchanged(&before.groups[0], new).unwrap_or_default();
        assert_eq!(told(&before), "");
        let options = both("r0", "/dev/drbd1", "options = \"noatime\"");
        assert_eq!(told(&options), "", "they count from the next mount on");
        assert_eq!(
            told(&both("r0", "/dev/drbd2", "")),
            "mount /mnt/data of /dev/drbd1 is in use here, by group web, and the new file has it no more: \
             `ha-appliance stop web` first"
        );
        assert!(told(&both("r1", "/dev/drbd1", "")).starts_with("drbd r0 is in use"));
        let service = "[[group.resource]]\nservice = \"nginx.service\"\n";
        assert!(told(&of("web", service)).starts_with("drbd r0 is in use"));
    }

    #[test]
    fn that_the_keys_are_others_is_said_with_what_it_does() {
        let keys = |ids: &[u8]| -> Vec<Vec<u8>> { ids.iter().map(|id| vec![*id; 16]).collect() };
        let told = |before: &[u8], after: &[u8]| {
            keys_changed(&keys(before), &keys(after), "lb1", "lb2").unwrap_or_default()
        };
        assert_eq!(told(&[1], &[1]), "");
        assert_eq!(
            told(&[1], &[2]),
            "keys: 1 new, 1 taken out: lb2 understands lb1 only if it has the new one, too"
        );
        // A rotation.
        assert_eq!(told(&[1], &[1, 2]), "keys: 1 added");
        assert_eq!(told(&[1, 2], &[2, 1]), "the keys are in another order");
        assert_eq!(told(&[2, 1], &[2]), "keys: 1 taken out");
        assert_eq!(
            told(&[1, 2], &[2]),
            "keys: 1 taken out: what lb2 still signs with the old one is dropped here"
        );
    }
}

//! DRBD's state, as `drbdsetup events2` tells it line by line: first all there is, then what changes.
//!
//! Kept as the words that DRBD says: 8.4 leaves out what 9 tells, both say more with each version, and a change names
//! only what changed. What is understood of it is [`super::standing`]'s.

use std::collections::BTreeMap;

/// Everything that was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    objects: BTreeMap<Object, BTreeMap<String, String>>,
    /// All that there was has been told.
    pub complete: bool,
    /// Lines that mean nothing here.
    pub unknown: u64,
    /// Why no more is told.
    pub trouble: Option<String>,
}

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Of this resource.
    pub resource: String,
    /// What of it.
    pub kind: Kind,
    /// Its connection, by the other side's number.
    pub peer: Option<u32>,
    /// Its volume.
    pub volume: Option<u32>,
}

/// The kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The resource itself.
    Resource,
    /// A connection to the other side.
    Connection,
    /// A volume here.
    Device,
    /// A volume there.
    PeerDevice,
}

/// What came of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Something is another.
    Changed(Object),
    /// All there was has been told.
    Complete,
    /// Nothing that concerns anybody here.
    Nothing,
    /// Lines were lost: what is known may be wrong, and all is to be asked anew.
    Broken,
}

impl State {
    /// Takes a line in.
    pub fn take(&mut self, line: &str) -> Told {
        let mut words = line.split_ascii_whitespace();
        let (action, what) = (words.next().unwrap_or_default(), words.next());
        let what = match (action, what) {
            ("exists", Some("-")) => {
                self.complete = true;
                self.trouble = None;
                return Told::Complete;
            }
            ("-", _) => return Told::Broken,
            // A helper's comings and goings are its own business.
            ("call" | "response", _) => return Told::Nothing,
            ("exists" | "create" | "change" | "destroy", Some(what)) => what,
            _ => return self.unknown(),
        };
        let kind = match what {
            "resource" => Kind::Resource,
            "connection" => Kind::Connection,
            "device" => Kind::Device,
            "peer-device" => Kind::PeerDevice,
            "path" => return Told::Nothing,
            _ => return self.unknown(),
        };
        let pairs = words.filter_map(|word| word.split_once(':'));
        let mut fields: BTreeMap<String, String> = pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let Some(resource) = fields.remove("name") else {
            return self.unknown();
        };
        let number = |key: &str| fields.get(key)?.parse().ok();
        let object = Object {
            resource,
            kind,
            peer: number("peer-node-id"),
            volume: number("volume"),
        };
        match action {
            "destroy" => {
                if object.kind == Kind::Resource {
                    self.objects
                        .retain(|other, _| other.resource != object.resource);
                }
                self.objects.remove(&object);
            }
            "change" => self
                .objects
                .entry(object.clone())
                .or_default()
                .extend(fields),
            _ => drop(self.objects.insert(object.clone(), fields)),
        }
        Told::Changed(object)
    }

    /// The names of all resources.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        let objects = self.objects.keys();
        let resources = objects.filter(|object| object.kind == Kind::Resource);
        resources.map(|object| object.resource.as_str())
    }

    /// What is said of it under that key; empty: nothing.
    pub fn word(&self, object: &Object, key: &str) -> &str {
        let fields = self.objects.get(object);
        fields
            .and_then(|fields| fields.get(key))
            .map_or("", String::as_str)
    }

    /// All of a resource of that kind.
    pub fn of<'a>(&'a self, resource: &'a str, kind: Kind) -> impl Iterator<Item = &'a Object> {
        let objects = self.objects.keys();
        objects.filter(move |object| object.resource == resource && object.kind == kind)
    }

    /// It is promoted here.
    pub fn is_primary(&self, resource: &str) -> bool {
        let mut roles = self.of(resource, Kind::Resource);
        roles.any(|role| self.word(role, "role") == "Primary")
    }

    /// Its other side is reached, as far as DRBD knows.
    pub fn is_connected(&self, resource: &str) -> bool {
        let mut connections = self.of(resource, Kind::Connection).peekable();
        connections.peek().is_some()
            && connections.all(|connection| self.word(connection, "connection") == "Connected")
    }

    /// By what all its I/O is suspended; None: it is not.
    pub fn frozen(&self, resource: &str) -> Option<&str> {
        let why = self.of(resource, Kind::Resource).next()?;
        let why = self.word(why, "suspended");
        (!matches!(why, "" | "no")).then_some(why)
    }

    fn unknown(&mut self) -> Told {
        self.unknown += 1;
        Told::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As 8.4 says it.
    pub(crate) const SNAPSHOT: &str = "exists resource name:r0 role:Secondary suspended:no\n\
        exists connection name:r0 peer-node-id:0 conn-name:peer connection:Connected role:Primary\n\
        exists device name:r0 volume:0 minor:1 disk:UpToDate\n\
        exists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Established \
        peer-disk:UpToDate resync-suspended:no\n\
        exists -";

    fn state(lines: &str) -> State {
        let mut state = State::default();
        lines.lines().for_each(|line| drop(state.take(line)));
        state
    }

    fn object(kind: Kind, peer: Option<u32>, volume: Option<u32>) -> Object {
        let resource = "r0".into();
        Object {
            resource,
            kind,
            peer,
            volume,
        }
    }

    #[test]
    fn all_there_is_and_then_what_changes() {
        let mut state = state(SNAPSHOT);
        assert!(state.complete);
        let connection = object(Kind::Connection, Some(0), None);
        assert_eq!(state.word(&connection, "role"), "Primary");
        let line = "change connection name:r0 peer-node-id:0 conn-name:peer connection:NetworkFailure role:Unknown";
        assert_eq!(state.take(line), Told::Changed(connection.clone()));
        assert_eq!(state.word(&connection, "connection"), "NetworkFailure");
        let line = "change resource name:r0 suspended:fencing";
        state.take(line);
        let resource = object(Kind::Resource, None, None);
        assert_eq!(
            state.word(&resource, "role"),
            "Secondary",
            "it did not change"
        );
        assert_eq!(state.word(&resource, "suspended"), "fencing");
        let device = object(Kind::Device, None, Some(0));
        assert_eq!(state.of("r0", Kind::Device).collect::<Vec<_>>(), [&device]);
        state.take("destroy resource name:r0");
        assert_eq!(state.word(&device, "disk"), "");
    }

    #[test]
    fn what_nine_tells_besides_is_kept_or_left() {
        let mut state = state(
            "create resource name:r0 role:Secondary suspended:no force-io-failures:no may_promote:no promotion_score:0\n\
             change device name:r0 volume:0 minor:1 backing_dev:/dev/sdb1 disk:UpToDate client:no open:no quorum:yes\n\
             exists path name:r0 peer-node-id:1 conn-name:lb2 local:ipv4:10.1.1.1:7789 peer:ipv4:10.1.1.2:7789",
        );
        let device = object(Kind::Device, None, Some(0));
        assert_eq!(state.word(&device, "open"), "no");
        for line in [
            "call helper name:r0 peer-node-id:0 conn-name:peer helper:fence-peer",
            "response helper name:r0 peer-node-id:0 conn-name:peer helper:fence-peer status:1792",
        ] {
            assert_eq!(state.take(line), Told::Nothing);
        }
        assert_eq!(state.unknown, 0);
        state.take("rename resource name:r0 new_name:r1");
        state.take("exists gadget name:r0");
        assert_eq!(state.unknown, 2);
    }

    #[test]
    fn lost_lines_end_it() {
        assert_eq!(State::default().take("- skipped 3"), Told::Broken);
    }

    proptest! {
        #[test]
        fn no_line_is_a_panic(line: String) {
            State::default().take(&line);
            State::default().take(&format!("exists device name:{line}"));
        }
    }
}

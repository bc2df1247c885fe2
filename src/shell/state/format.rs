//! How the record is written: JSON that a person can read, and that nothing damaged passes for.

use super::Names;
use crate::core::protocol::coverage::{List, Lists};
use crate::core::protocol::record::{FailureRecord, FenceRecord, GroupRecord, Record, VifRecord};
use crate::core::protocol::rhythm::{LONGEST_INTERVAL, Rhythm, Rhythms, SHORTEST_INTERVAL};
use crate::id::{GroupId, Place, ResourceId, VifId};
use crate::wire::heartbeat::{FEWEST_MISSES, Given, MAX_EPOCH, Side, Token, Wish, WishSubject};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::time::Duration;

const FORMAT: &str = "ha-appliance state";
const VERSION: u64 = 1;

/// The file's text.
pub(super) fn render(names: &Names, record: &Record) -> String {
    let name = |id| names.groups.iter().find(|n| GroupId::of(n) == id).cloned();
    let vif = |id| names.vifs.iter().find(|(known, _)| *known == id);
    let body = Body {
        groups: record
            .groups
            .iter()
            .map(|g| Group {
                name: name(g.id),
                hash: Hex(g.id.0),
                epoch: g.token.epoch,
                holder: g.token.holder.into(),
                highest: g.highest,
                peer_failed: g.peer_failed,
                failback_held: g.failback_held,
            })
            .collect(),
        failures: record
            .failures
            .iter()
            .map(|f| Failure {
                group: Hex(f.place.group.0),
                resource: Hex(f.place.resource.0),
                count: f.count,
            })
            .collect(),
        rhythms: record.rhythms.map(DiskRhythms::from),
        peer_lists: record.lists.0.iter().map(PeerList::from).collect(),
        peer_maintained: record.peer_maintained,
        peer_refused: record.peer_refused,
        devices: (record.fencing != FenceRecord::default())
            .then(|| Devices::from(record.fencing.clone())),
        wishes: record
            .wishes
            .iter()
            .map(|w| {
                let (wish, of) = match w.subject {
                    WishSubject::Maintenance => (WishKind::Maintenance, None),
                    WishSubject::Standby(Side::First) => (WishKind::StandbyFirst, None),
                    WishSubject::Standby(Side::Second) => (WishKind::StandbySecond, None),
                    WishSubject::Stopped(group) => (WishKind::Stopped, Some(group)),
                };
                DiskWish {
                    wish,
                    group: of.and_then(name),
                    hash: of.map(|id| Hex(id.0)),
                    first: w.given[0].map(DiskGiven::from),
                    second: w.given[1].map(DiskGiven::from),
                }
            })
            .collect(),
        interfaces: record
            .vifs
            .iter()
            .map(|v| Vif {
                interface: vif(v.id).map(|(_, name)| name.clone()),
                hash: Hex(v.id.0),
                mac: DiskMac(v.mac),
                proven: v.proven,
                address: v.address,
            })
            .collect(),
    };
    let body = serde_json::to_value(body).expect("plain data has a JSON form");
    let envelope = Envelope {
        format: FORMAT.into(),
        version: VERSION,
        sha256: digest(&body),
        body,
    };
    serde_json::to_string_pretty(&envelope).expect("plain data has a JSON form") + "\n"
}

/// The record in that text; an error is what is wrong with it, after its path.
pub(super) fn parse(text: &str) -> Result<Record, String> {
    use serde_json::Value;
    let value: Value = serde_json::from_str(text).map_err(|e| format!("is damaged ({e})"))?;
    if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err("is damaged, or not a state of ha-appliance".into());
    }
    match value.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(version) => {
            return Err(format!(
                "has version {version}, and this program knows version {VERSION}"
            ));
        }
        None => return Err("is damaged (no version)".into()),
    }
    let envelope: Envelope<Value> =
        serde_json::from_value(value).map_err(|e| format!("is damaged ({e})"))?;
    if digest(&envelope.body) != envelope.sha256 {
        return Err("is damaged (its checksum does not fit), or was edited by hand".into());
    }
    let body: Body =
        serde_json::from_value(envelope.body).map_err(|e| format!("is not understood ({e})"))?;
    if body
        .wishes
        .iter()
        .any(|w| w.hash.is_some() != matches!(w.wish, WishKind::Stopped))
    {
        return Err("is not understood (a wish without its group)".into());
    }
    if let Some(g) = (body.groups.iter()).find(|g| g.epoch.max(g.highest) > MAX_EPOCH) {
        let group = g.name.clone().unwrap_or_else(|| String::from(g.hash));
        return Err(format!("has an epoch of {group} that no pair ever reaches"));
    }
    Ok(body.into_record())
}

/// Over the compact form, in which serde_json writes an object's keys in order: so spaces do not
/// count, and everything else does.
fn digest(body: &serde_json::Value) -> String {
    Sha256::digest(body.to_string().as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The file's outside: what tells whether the body can be trusted.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    format: String,
    version: u64,
    /// Of the body, written compactly with its keys in order.
    sha256: String,
    body: T,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    groups: Vec<Group>,
    wishes: Vec<DiskWish>,
    interfaces: Vec<Vif>,
    failures: Vec<Failure>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rhythms: Option<DiskRhythms>,
    peer_lists: Vec<PeerList>,
    peer_maintained: bool,
    peer_refused: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    devices: Option<Devices>,
}

/// What became of devices that switch the peer off.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Devices {
    shot: bool,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    distrusted: Vec<Hex>,
    peer_delay_ms: u64,
    #[serde(default)]
    loosed: bool,
}

impl From<FenceRecord> for Devices {
    fn from(record: FenceRecord) -> Devices {
        let millis = record.peer_delay.as_millis();
        Devices {
            shot: record.shot,
            distrusted: record.distrusted.into_iter().map(Hex).collect(),
            peer_delay_ms: u64::try_from(millis).unwrap_or(u64::MAX),
            loosed: record.loosed,
        }
    }
}

impl From<&Devices> for FenceRecord {
    fn from(devices: &Devices) -> FenceRecord {
        FenceRecord {
            shot: devices.shot,
            distrusted: devices.distrusted.iter().map(|id| id.0).collect(),
            peer_delay: Duration::from_millis(devices.peer_delay_ms),
            loosed: devices.loosed,
        }
    }
}

/// What the peer lists in a group, as far as that is known.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerList {
    group: Hex,
    list: Hex,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    resources: Option<Vec<Hex>>,
}

impl From<&List> for PeerList {
    fn from(list: &List) -> PeerList {
        let known = list.known.as_ref();
        PeerList {
            group: Hex(list.group.0),
            list: Hex(list.hash),
            resources: known.map(|all| all.iter().map(|id| Hex(id.0)).collect()),
        }
    }
}

impl From<&PeerList> for List {
    fn from(disk: &PeerList) -> List {
        let sorted = |all: &Vec<Hex>| {
            let mut all: Vec<ResourceId> = all.iter().map(|id| ResourceId(id.0)).collect();
            all.sort_unstable();
            all
        };
        List {
            group: GroupId(disk.group.0),
            hash: disk.list.0,
            known: disk.resources.as_ref().map(sorted),
        }
    }
}

/// What of time both nodes announced.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiskRhythms {
    peer_interval_us: u64,
    peer_misses: u32,
    shortest_interval_us: u64,
    longest_interval_us: u64,
    most_misses: u32,
}

impl From<Rhythms> for DiskRhythms {
    fn from(rhythms: Rhythms) -> DiskRhythms {
        let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        DiskRhythms {
            peer_interval_us: us(rhythms.theirs.interval),
            peer_misses: rhythms.theirs.misses,
            shortest_interval_us: us(rhythms.shortest),
            longest_interval_us: us(rhythms.slowest.interval),
            most_misses: rhythms.slowest.misses,
        }
    }
}

impl From<DiskRhythms> for Rhythms {
    fn from(disk: DiskRhythms) -> Rhythms {
        let rhythm = |interval, misses: u32| Rhythm {
            interval: Duration::from_micros(interval).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
            misses: misses.max(FEWEST_MISSES),
        };
        let slowest = rhythm(disk.longest_interval_us, disk.most_misses);
        Rhythms {
            theirs: rhythm(disk.peer_interval_us, disk.peer_misses),
            shortest: rhythm(disk.shortest_interval_us, 0)
                .interval
                .min(slowest.interval),
            slowest,
        }
    }
}

/// Failures of a resource that last until they are cleared.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    group: Hex,
    resource: Hex,
    count: u16,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    name: Option<String>,
    hash: Hex,
    epoch: u64,
    holder: DiskSide,
    highest: u64,
    peer_failed: bool,
    failback_held: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiskWish {
    wish: WishKind,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    group: Option<String>,
    /// Of the group's name; only with `stopped`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    hash: Option<Hex>,
    /// The latest time that it was given at the first node, and at the second.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    first: Option<DiskGiven>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    second: Option<DiskGiven>,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
struct DiskGiven {
    tag: u32,
    taken_back: bool,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum WishKind {
    Maintenance,
    StandbyFirst,
    StandbySecond,
    Stopped,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vif {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    interface: Option<String>,
    hash: Hex,
    /// Of the peer there.
    mac: DiskMac,
    proven: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    address: Option<IpAddr>,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum DiskSide {
    First,
    Second,
}

/// A hash as 16 hexadecimal digits: JSON's numbers are not for 64 bits everywhere.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hex(u64);

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct DiskMac([u8; 6]);

impl Body {
    fn into_record(self) -> Record {
        let vif = |v: &Vif| VifRecord {
            id: VifId(v.hash.0),
            mac: v.mac.0,
            proven: v.proven,
            address: v.address,
        };
        Record {
            groups: self
                .groups
                .iter()
                .map(|g| GroupRecord {
                    id: GroupId(g.hash.0),
                    token: Token {
                        epoch: g.epoch,
                        holder: g.holder.into(),
                    },
                    highest: g.highest,
                    peer_failed: g.peer_failed,
                    failback_held: g.failback_held,
                })
                .collect(),
            failures: self
                .failures
                .iter()
                .map(|f| FailureRecord {
                    place: Place {
                        group: GroupId(f.group.0),
                        resource: ResourceId(f.resource.0),
                    },
                    count: f.count,
                })
                .collect(),
            rhythms: self.rhythms.map(Rhythms::from),
            lists: Lists(self.peer_lists.iter().map(List::from).collect()),
            peer_maintained: self.peer_maintained,
            peer_refused: self.peer_refused,
            fencing: self
                .devices
                .as_ref()
                .map(FenceRecord::from)
                .unwrap_or_default(),
            wishes: self
                .wishes
                .iter()
                .map(|w| {
                    let subject = match (w.wish, &w.hash) {
                        (WishKind::Maintenance, _) => WishSubject::Maintenance,
                        (WishKind::StandbyFirst, _) => WishSubject::Standby(Side::First),
                        (WishKind::StandbySecond, _) => WishSubject::Standby(Side::Second),
                        (WishKind::Stopped, hash) => {
                            WishSubject::Stopped(GroupId(hash.as_ref().map_or(0, |h| h.0)))
                        }
                    };
                    Wish {
                        subject,
                        given: [w.first, w.second].map(|given| given.map(Given::from)),
                    }
                })
                .collect(),
            vifs: self.interfaces.iter().map(vif).collect(),
        }
    }
}

impl From<Side> for DiskSide {
    fn from(side: Side) -> DiskSide {
        match side {
            Side::First => DiskSide::First,
            Side::Second => DiskSide::Second,
        }
    }
}

impl From<DiskSide> for Side {
    fn from(side: DiskSide) -> Side {
        match side {
            DiskSide::First => Side::First,
            DiskSide::Second => Side::Second,
        }
    }
}

impl From<Given> for DiskGiven {
    fn from(given: Given) -> DiskGiven {
        DiskGiven {
            tag: given.tag,
            taken_back: given.taken_back,
        }
    }
}

impl From<DiskGiven> for Given {
    fn from(given: DiskGiven) -> Given {
        Given {
            tag: given.tag,
            taken_back: given.taken_back,
        }
    }
}

impl From<Hex> for String {
    fn from(hex: Hex) -> String {
        format!("{:016x}", hex.0)
    }
}

impl TryFrom<String> for Hex {
    type Error = String;
    fn try_from(text: String) -> Result<Hex, String> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u64::from_str_radix(&text, 16).ok().filter(|_| digits);
        value
            .map(Hex)
            .ok_or_else(|| format!("`{text}` is not 16 hexadecimal digits"))
    }
}

impl From<DiskMac> for String {
    fn from(mac: DiskMac) -> String {
        mac.0.map(|byte| format!("{byte:02x}")).join(":")
    }
}

impl TryFrom<String> for DiskMac {
    type Error = String;
    fn try_from(text: String) -> Result<DiskMac, String> {
        let bytes: Option<Vec<u8>> = text
            .split(':')
            .map(|part| {
                u8::from_str_radix(part, 16)
                    .ok()
                    .filter(|_| part.len() == 2)
            })
            .collect();
        let mac = bytes.and_then(|bytes| bytes.try_into().ok());
        mac.map(DiskMac)
            .ok_or_else(|| format!("`{text}` is not a hardware address"))
    }
}

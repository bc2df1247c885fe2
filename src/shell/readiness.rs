//! Whether this machine can carry the VIPs of a resource at the moment: a state of it, like a carrier, and no
//! failure of theirs. They wait, and are tried again in the instant it changes.

use crate::config::{Family, Lack, Vif};
use crate::core::event::{Extent, Unready};
use crate::core::time::Time;
use crate::id::VifId;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// What VIP interfaces lack, but for what is only away while a network manager sets them up anew.
#[derive(Debug, Default)]
pub struct Readiness {
    /// Those that had an address of their own, by family.
    addressed: BTreeSet<(VifId, Family)>,
    /// Since when those have none.
    bare: BTreeMap<(VifId, Family), Time>,
    told_at: Option<Time>,
}

/// How long an address of its own may be away before an interface counts as not set up: a lease is asked for
/// anew in less. What matters meanwhile is whether a gateway answers.
const GRACE: Duration = Duration::from_secs(5);

impl Readiness {
    /// VIP interfaces as they were seen now.
    pub fn follow(&mut self, vifs: &[Vif], now: Time) {
        for vif in vifs {
            for family in [Family::V4, Family::V6] {
                let key = (vif.id, family);
                match lack(vif, family) {
                    Some(Lack::OwnAddress) if self.addressed.contains(&key) => {
                        self.bare.entry(key).or_insert(now);
                    }
                    None => {
                        self.addressed.insert(key);
                        self.bare.remove(&key);
                    }
                    Some(_) => drop(self.bare.remove(&key)),
                }
            }
        }
        let known = |vif: VifId| vifs.iter().any(|known| known.id == vif);
        self.addressed.retain(|(vif, _)| known(*vif));
        self.bare.retain(|(vif, _), _| known(*vif));
    }

    /// What these VIPs of a resource lack, each with its place in `vifs`. `beside`: their group has IPv4 VIPs,
    /// which run without those of IPv6.
    pub fn of(
        &self,
        vips: &[(IpAddr, usize)],
        vifs: &[Vif],
        beside: bool,
        now: Time,
    ) -> Option<Unready> {
        let lacks = vips.iter().filter_map(|&(vip, at)| {
            let (vif, family) = (&vifs[at], Family::of(vip));
            let lack = lack(vif, family)?;
            (!self.is_brief(vif.id, family, now)).then_some((vip, vif, lack))
        });
        let lacks: Vec<_> = lacks.collect();
        let (vip, vif, lack) = lacks.first()?;
        let name = vif.name.as_deref().unwrap_or_default();
        let left_out = beside && lacks.iter().all(|(_, _, lack)| lack.is_of_ipv6());
        Some(Unready {
            why: match lack {
                // It may well stand there still.
                _ if name.is_empty() => format!("no interface here has the network of {vip}"),
                Lack::OwnAddress => format!("{name} has no address of its own beside {vip}"),
                _ => format!("{vip} cannot be on {name}: {lack}"),
            },
            extent: match lacks.len() == vips.len() && !left_out {
                true => Extent::Entirely,
                false => Extent::Partly,
            },
        })
    }

    /// When something that was away for a moment is away for good, and was not told to be.
    pub fn deadline(&self) -> Option<Time> {
        let due = self.bare.values().map(|since| *since + GRACE);
        due.filter(|due| self.told_at.is_none_or(|told| told < *due))
            .min()
    }

    /// Everything that is due by then is told.
    pub fn told(&mut self, now: Time) {
        self.told_at = Some(now);
    }

    fn is_brief(&self, vif: VifId, family: Family, now: Time) -> bool {
        let since = self.bare.get(&(vif, family));
        since.is_some_and(|since| now.since(*since) < GRACE)
    }
}

fn lack(vif: &Vif, family: Family) -> Option<Lack> {
    let mut lacks = vif.lacks.iter();
    lacks.find(|(of, _)| *of == family).map(|(_, lack)| *lack)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_000_000);

    fn vif(lacks: &[(Family, Lack)]) -> Vif {
        Vif {
            id: VifId::of("eth0"),
            name: Some("eth0".into()),
            index: Some(2),
            gateways: Vec::new(),
            lacks: lacks.to_vec(),
        }
    }

    fn of(vips: &[&str], lacks: &[(Family, Lack)], beside: bool) -> Option<(String, bool)> {
        let vips: Vec<_> = vips.iter().map(|vip| (vip.parse().unwrap(), 0)).collect();
        let unready = Readiness::default().of(&vips, &[vif(lacks)], beside, NOW);
        unready.map(|unready| (unready.why, unready.extent == Extent::Entirely))
    }

    #[test]
    fn what_is_lacking_keeps_all_or_some_of_them_away() {
        let both = ["192.0.2.1", "2001:db8::1"];
        let off = [(Family::V6, Lack::Ipv6)];
        assert_eq!(of(&both, &[], true), None);
        let why =
            "2001:db8::1 cannot be on eth0: IPv6 is off there, see net.ipv6.conf.*.disable_ipv6";
        assert_eq!(of(&both, &off, true), Some((why.into(), false)));
        // IPv4 ones of the same group stand elsewhere in it; or there are none.
        assert_eq!(of(&both[1..], &off, true), Some((why.into(), false)));
        assert_eq!(of(&both[1..], &off, false), Some((why.into(), true)));
        let away = [Family::V4, Family::V6].map(|family| (family, Lack::Interface));
        let why = "192.0.2.1 cannot be on eth0: it does not exist";
        assert_eq!(of(&both, &away, true), Some((why.into(), true)));
        let bare = [(Family::V6, Lack::OwnAddress)];
        let why = "eth0 has no address of its own beside 2001:db8::1";
        assert_eq!(of(&both[1..], &bare, false), Some((why.into(), true)));
    }

    #[test]
    fn an_own_address_may_be_away_for_a_moment_where_there_was_one() {
        let bare = [vif(&[(Family::V4, Lack::OwnAddress)])];
        let vips = [("192.0.2.1".parse().unwrap(), 0)];
        let mut readiness = Readiness::default();
        readiness.follow(&bare, NOW);
        assert!(readiness.of(&vips, &bare, true, NOW).is_some(), "at boot");
        readiness.follow(&[vif(&[])], NOW);
        readiness.follow(&bare, NOW);
        assert!(readiness.of(&vips, &bare, true, NOW).is_none());
        let due = readiness.deadline().unwrap();
        assert_eq!(due, NOW + GRACE);
        readiness.follow(&bare, NOW + GRACE / 2);
        assert_eq!(readiness.deadline(), Some(due), "from when it went");
        assert!(readiness.of(&vips, &bare, true, due).is_some());
        readiness.told(due);
        assert_eq!(readiness.deadline(), None);
    }
}

//! What a service and the VIPs of its group may do to each other.

use super::{Mode, Probe, Service};
use crate::agents::host::Host;
use crate::config::schema::{Group, Resource, Vip};
use crate::config::warning::Warning;

/// What one should know about a group's services.
pub(in crate::config) fn warn(
    group: &Group,
    fenced: bool,
    host: &Host,
    warnings: &mut Vec<Warning>,
) {
    if !fenced && group.vips().next().is_none() {
        warnings.push(Warning::NoVip {
            group: group.name.clone(),
        });
    }
    warnings.extend(service_above_vip(group, host));
    for service in group
        .services()
        .filter(|service| service.mode == Mode::Both)
    {
        let asks = |vip: &&Vip| asked(service) == Some(vip.address.addr());
        if let Some(vip) = group.vips().find(asks) {
            warnings.push(Warning::CheckAsksVip {
                unit: service.unit.clone(),
                vip: vip.address,
            });
        }
        for family in [Vip::is_ipv4, |vip: &Vip| !vip.is_ipv4()] {
            let bound = |vip: &&Vip| family(vip) && !may_listen_without(vip, host);
            if let Some(vip) = group.vips().find(bound) {
                warnings.push(Warning::NeedsWildcard {
                    unit: service.unit.clone(),
                    vip: vip.address,
                });
            }
        }
    }
}

/// When the last VIP stands below every service. What stands above some VIPs only, such as a backend
/// above the address of its front, is there on purpose.
fn service_above_vip(group: &Group, host: &Host) -> Option<Warning> {
    let mut below = None;
    let mut above = None;
    for resource in &group.resources {
        match resource {
            Resource::Vip(vip) => {
                below.get_or_insert(vip);
            }
            Resource::Service(service) if service.mode == Mode::One => {
                above = Some(service);
                below = None;
            }
            Resource::Service(_) | Resource::Mount(_) | Resource::Drbd(_) => {}
        }
    }
    let vip = below.filter(|vip| !may_listen_without(vip, host))?;
    Some(Warning::ServiceAboveVip {
        unit: above?.unit.clone(),
        vip: vip.address,
    })
}

fn may_listen_without(vip: &Vip, host: &Host) -> bool {
    let [ipv4, ipv6] = host.nonlocal_bind;
    if vip.is_ipv4() { ipv4 } else { ipv6 }
}

/// The address that a service's check asks.
fn asked(service: &Service) -> Option<std::net::IpAddr> {
    match &service.check.as_ref()?.probe {
        Probe::Http { address, .. } | Probe::Tcp(address) => Some(address.ip()),
        Probe::Exec(_) => None,
    }
}

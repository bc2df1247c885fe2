//! Removing addresses for certain: looked at before, and afterwards.

use super::{Doing, VipError};
use crate::agents::host::own;
use crate::agents::netlink::{Installed, Route};
use ipnet::IpNet;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;

/// How often what others add under our hands is removed again before it is an error.
const REMOVALS: usize = 3;

/// Removes these addresses from this machine, on whatever interface and with whatever prefix they
/// are, and looks afterwards that they are gone; gives what was removed. For `release`, and for
/// cleaning up after a file that named other addresses.
pub fn release(addresses: &[IpAddr]) -> Result<Vec<Installed>, Vec<VipError>> {
    match Route::open() {
        Ok(mut route) => remove(&mut route, addresses),
        Err(error) => Err(cannot_look(addresses, &error)),
    }
}

pub(super) fn remove(
    route: &mut Route,
    addresses: &[IpAddr],
) -> Result<Vec<Installed>, Vec<VipError>> {
    let wanted: HashSet<_> = addresses.iter().copied().collect();
    let mut removed = Vec::new();
    let mut refusals = HashMap::new();
    for _ in 0..REMOVALS {
        let (left, own) = present(route, &wanted)?;
        if left.is_empty() {
            return if own.is_empty() {
                Ok(removed)
            } else {
                Err(own)
            };
        }
        let networks: Vec<_> = left.iter().map(|(_, network)| *network).collect();
        // Without answers the next look says what became of it.
        let verdicts = route.delete(&networks).unwrap_or_default();
        for ((one, _), errno) in left.iter().zip(verdicts) {
            match errno {
                0 => removed.push(*one),
                _ => drop(refusals.insert(one.address, errno)),
            }
        }
    }
    let (left, mut errors) = present(route, &wanted)?;
    errors.extend(still_there(route, &left, &refusals));
    if errors.is_empty() {
        Ok(removed)
    } else {
        Err(errors)
    }
}

/// Which of these addresses this machine has, each with what a deletion needs to name it.
type Present = Vec<(Installed, (u32, IpNet))>;

/// What is there to be removed; and an error for each that is the machine's own, which stays whatever
/// ha.toml says: the machine would lose its network.
fn present(
    route: &mut Route,
    wanted: &HashSet<IpAddr>,
) -> Result<(Present, Vec<VipError>), Vec<VipError>> {
    let all = route.addresses().map_err(|error| {
        let wanted: Vec<_> = wanted.iter().copied().collect();
        cannot_look(&wanted, &error)
    })?;
    let there = all.iter().filter(|one| wanted.contains(&one.address));
    let there = there.filter_map(|one| Some((*one, (one.interface, network(one)?))));
    let (own, left): (Present, Present) = there.partition(|(one, _)| is_own(one, &all, wanted));
    let error = |(address, interface)| VipError {
        interface,
        address,
        doing: Doing::Remove,
        errno: libc::EADDRINUSE,
    };
    let named = own
        .iter()
        .map(|(one, _)| (one.address, name_of(route, one.interface)));
    let own = named.map(error).collect();
    Ok((left, own))
}

fn network(one: &Installed) -> Option<IpNet> {
    IpNet::new(one.address, one.prefix).ok()
}

fn is_own(one: &Installed, all: &[Installed], wanted: &HashSet<IpAddr>) -> bool {
    // As VIPs are installed, a thousand of which go at once.
    if one.deprecated && network(one).is_some_and(|net| net.prefix_len() == net.max_prefix_len()) {
        return false;
    }
    let beside: Vec<&Installed> = all
        .iter()
        .filter(|o| o.interface == one.interface)
        .collect();
    let addresses: Vec<IpNet> = beside.iter().filter_map(|one| network(one)).collect();
    let deprecated = |net: &IpNet| {
        beside
            .iter()
            .any(|o| o.deprecated && o.address == net.addr())
    };
    let own = own(one.address, &addresses, deprecated, |vip| {
        wanted.contains(&vip)
    });
    own.is_some() && own == network(one)
}

fn still_there(
    route: &mut Route,
    left: &Present,
    refusals: &HashMap<IpAddr, i32>,
) -> Vec<VipError> {
    left.iter()
        .map(|(one, _)| VipError {
            interface: name_of(route, one.interface),
            address: one.address,
            doing: Doing::Remove,
            errno: *refusals.get(&one.address).unwrap_or(&libc::EEXIST),
        })
        .collect()
}

fn name_of(route: &mut Route, interface: u32) -> String {
    let interfaces = route.interfaces().unwrap_or_default();
    let found = interfaces.into_iter().find(|one| one.index == interface);
    found.map_or(String::new(), |found| found.name)
}

fn cannot_look(addresses: &[IpAddr], error: &io::Error) -> Vec<VipError> {
    addresses
        .iter()
        .map(|address| VipError {
            interface: String::new(),
            address: *address,
            doing: Doing::Look,
            errno: error.raw_os_error().unwrap_or(libc::EIO),
        })
        .collect()
}

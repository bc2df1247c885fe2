//! Removing addresses for certain: looked at before, and afterwards.

use super::{Doing, VipError};
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
        let left = present(route, &wanted)?;
        if left.is_empty() {
            return Ok(removed);
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
    let left = present(route, &wanted)?;
    match left.is_empty() {
        true => Ok(removed),
        false => Err(still_there(route, &left, &refusals)),
    }
}

/// Which of these addresses this machine has, each with what a deletion needs to name it.
type Present = Vec<(Installed, (u32, IpNet))>;

fn present(route: &mut Route, wanted: &HashSet<IpAddr>) -> Result<Present, Vec<VipError>> {
    let all = route.addresses().map_err(|error| {
        let wanted: Vec<_> = wanted.iter().copied().collect();
        cannot_look(&wanted, &error)
    })?;
    Ok(all
        .into_iter()
        .filter(|one| wanted.contains(&one.address))
        .filter_map(|one| {
            let network = IpNet::new(one.address, one.prefix).ok()?;
            Some((one, (one.interface, network)))
        })
        .collect())
}

fn still_there(
    route: &mut Route,
    left: &Present,
    refusals: &HashMap<IpAddr, i32>,
) -> Vec<VipError> {
    let interfaces = route.host().unwrap_or_default().interfaces;
    let name = |index| interfaces.iter().find(|one| one.index == index);
    left.iter()
        .map(|(one, _)| VipError {
            interface: name(one.interface).map_or(String::new(), |found| found.name.clone()),
            address: one.address,
            doing: Doing::Remove,
            errno: *refusals.get(&one.address).unwrap_or(&libc::EEXIST),
        })
        .collect()
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

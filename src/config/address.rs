//! Addresses as ha.toml writes them; each refusal is a pair of what is wrong and what to do.

use super::error::quoted;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

type Refusal = (String, String);

/// A node's address for heartbeats.
pub(super) fn link(text: &str) -> Result<IpAddr, Refusal> {
    let address = plain(text, "10.1.1.1")?;
    ordinary(address)?;
    if is_link_local_v6(address) {
        return refuse(
            format!("{address} is link-local: it names no host without an interface"),
            "give the link a unique local address, such as fd00:10::1",
        );
    }
    Ok(address)
}

/// A gateway's address.
pub(super) fn gateway(text: &str) -> Result<IpAddr, Refusal> {
    let address = plain(text, "192.168.10.1")?;
    ordinary(address)?;
    Ok(address)
}

/// A VIP: its address and its network's prefix.
pub(super) fn vip(text: &str) -> Result<IpNet, Refusal> {
    let Some((address, prefix)) = text.split_once('/') else {
        let address = plain(text, "192.168.10.80/24")?;
        let example = if address.is_ipv4() { 24 } else { 64 };
        return refuse(
            format!("{address} has no prefix length"),
            format!("write that of its network: \"{address}/{example}\""),
        );
    };
    let address = plain(address, "192.168.10.80")?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let Ok(length) = prefix.parse::<u8>() else {
        return refuse(
            format!("{} is not a prefix length", quoted(prefix)),
            format!(
                "write a number from 1 to {longest}: \"{address}/{}\"",
                longest / 4 * 3
            ),
        );
    };
    if length == 0 || length > longest {
        return refuse(
            format!("prefix length {length} is outside 1 to {longest}, those of {family}"),
            "write that of the network on the interface, as `ip address` shows it",
        );
    }
    ordinary(address)?;
    let net = IpNet::new(address, length).map_err(|error| (error.to_string(), String::new()))?;
    // Point-to-point networks (the longest two prefixes) have neither a network address nor a broadcast one.
    if length < longest - 1 {
        if address == net.network() {
            let name = if address.is_ipv4() {
                "the network's own address"
            } else {
                "the subnet-router anycast address"
            };
            return refuse(
                format!("{address} is {name} in {}", net.trunc()),
                "choose a host address inside the network",
            );
        }
        if address.is_ipv4() && address == net.broadcast() {
            return refuse(
                format!("{address} is the broadcast address of {}", net.trunc()),
                "choose a host address inside the network",
            );
        }
    }
    Ok(net)
}

/// Where a check asks: `localhost` is the loopback address, other names are not looked up.
pub(super) fn asked(text: &str, example: &str) -> Result<IpAddr, Refusal> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let address = plain(text, example)?;
    let help = || format!("write an address that this host can ask, such as {example}");
    if is_link_local_v6(address) {
        let what = format!("{address} is link-local: it names no host without an interface");
        return refuse(what, help());
    }
    if !address.is_loopback() {
        ordinary(address).map_err(|(what, _)| (what, help()))?;
    }
    Ok(address)
}

/// Whether an address means something only together with an interface.
pub(super) fn is_link_local_v6(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn plain(text: &str, example: &str) -> Result<IpAddr, Refusal> {
    text.parse().map_err(|_| {
        let alone = text.split_once('/').map(|(address, _)| address);
        if let Some(alone) = alone.filter(|alone| alone.parse::<IpAddr>().is_ok()) {
            return (
                format!("`{text}` has a prefix length"),
                format!("write the address alone: \"{alone}\""),
            );
        }
        (
            format!("{} is not an IP address", quoted(text)),
            format!("write it in numbers, as \"{example}\"; names are not looked up"),
        )
    })
}

/// Refuses what no host can have as its own address.
fn ordinary(address: IpAddr) -> Result<(), Refusal> {
    let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    let kind = match address {
        _ if address.is_unspecified() => "the unspecified address",
        _ if address.is_loopback() => "a loopback address, which no other host reaches",
        _ if address.is_multicast() => "a multicast address",
        _ if broadcast => "the broadcast address",
        _ if mapped => "an IPv4 address in IPv6 clothes",
        _ => return Ok(()),
    };
    refuse(format!("{address} is {kind}"), "write a host's address")
}

fn refuse<T>(what: impl Into<String>, help: impl Into<String>) -> Result<T, Refusal> {
    Err((what.into(), help.into()))
}

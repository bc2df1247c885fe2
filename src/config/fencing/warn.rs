//! What a device may share with the node that it switches off.

use super::Kind;
use crate::agents::host::Host;
use crate::config::schema::Config;
use crate::config::warning::Warning;
use crate::wire::heartbeat::Side;

/// Devices on the network of the only link: one cable is silence and a blocked takeover at once.
pub(in crate::config) fn warn(config: &Config, side: Side, host: &Host) -> Vec<Warning> {
    let [link] = config.node(side).links[..] else {
        return Vec::new();
    };
    let of_link = host
        .interfaces
        .iter()
        .find(|interface| interface.addresses.iter().any(|net| net.addr() == link));
    let Some(interface) = of_link else {
        return Vec::new();
    };
    let devices = config.fencing.iter().flat_map(|f| f.against(side.other()));
    let beside = devices.filter(|device| match &device.kind {
        Kind::Ipmi(ipmi) => {
            let address = ipmi.address.ip();
            interface.addresses.iter().any(|net| net.contains(&address))
        }
        Kind::Agent(_) => false,
    });
    let warning = |device: &super::Device| Warning::DeviceBeside {
        device: device.to_string(),
        interface: interface.name.clone(),
    };
    beside.map(warning).collect()
}

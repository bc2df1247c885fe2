//! What a device may share with the node that it switches off, or with the clients.

use super::Device;
use crate::agents::host::Host;
use crate::config::schema::Config;
use crate::config::warning::Warning;
use crate::wire::heartbeat::Side;
use std::net::IpAddr;

pub(in crate::config) fn warn(config: &Config, side: Side, host: &Host) -> Vec<Warning> {
    let beside = beside_the_link(config, side, host);
    let named: Vec<String> = beside
        .iter()
        .map(|(device, _)| device.to_string())
        .collect();
    let mut warnings: Vec<Warning> = (beside.into_iter())
        .map(|(device, interface)| Warning::DeviceBeside {
            device: device.to_string(),
            interface,
        })
        .collect();
    let devices = config.fencing.iter().flat_map(|f| f.against(side.other()));
    let vips = || config.groups.iter().flat_map(|group| group.vips());
    warnings.extend(devices.filter_map(|device| {
        let at = address(device)?;
        let vip = vips().find(|vip| vip.address.contains(&at))?;
        let device = device.to_string();
        (!named.contains(&device)).then_some(Warning::DeviceAmongClients {
            device,
            vip: vip.address,
        })
    }));
    warnings
}

/// Where it is asked, if the file says that by number.
fn address(device: &Device) -> Option<IpAddr> {
    match device {
        Device::Ipmi(ipmi) => Some(ipmi.address.ip()),
        Device::Agent(agent) => {
            let mut options = agent.options.iter();
            let (_, at) = options.find(|(key, _)| key == "ip" || key == "ipaddr")?;
            at.parse().ok()
        }
    }
}

/// Devices on the network of the only link: one cable is silence and a blocked takeover at once.
fn beside_the_link<'a>(config: &'a Config, side: Side, host: &Host) -> Vec<(&'a Device, String)> {
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
    let beside = devices.filter(|device| {
        let at = address(device);
        at.is_some_and(|at| interface.addresses.iter().any(|net| net.contains(&at)))
    });
    beside
        .map(|device| (device, interface.name.clone()))
        .collect()
}

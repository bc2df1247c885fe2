//! What may be right later: noted by `check`, waited for by the daemon.

use super::lack::Lack;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// Something about this machine, or about a risk the file takes, that is no mistake. Displays as
/// one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// No fencing and no witness.
    Unprotected,
    /// A link's own address is on no interface yet.
    LinkAbsent {
        /// The address.
        local: IpAddr,
    },
    /// A link's interface is down, or its cable is dead.
    LinkDown {
        /// The address.
        local: IpAddr,
        /// Its interface.
        interface: String,
    },
    /// This machine has an address that the file gives to the peer.
    PeersAddressHere {
        /// The address.
        address: IpAddr,
        /// The peer's name.
        peer: String,
    },
    /// One link only.
    OnlyOneLink,
    /// Two links end in the same interface.
    LinksShareInterface {
        /// Their own addresses.
        locals: [IpAddr; 2],
        /// The interface.
        interface: String,
    },
    /// The peer's end of a link is not in the network of this node's end.
    LinkRouted {
        /// This node's end.
        local: IpAddr,
        /// The peer's end.
        peer: IpAddr,
        /// The network of this node's end.
        network: IpNet,
    },
    /// What the peer sends on a link is dropped, because the way back leads through another interface.
    LinkFiltered {
        /// This node's end.
        local: IpAddr,
        /// Its interface.
        interface: String,
        /// The interface through which the peer's end is reached as well.
        other: String,
        /// The network that both are in.
        network: IpNet,
    },
    /// The first link runs on the network of a VIP: there is no interlink.
    NoInterlink {
        /// The link's own address.
        local: IpAddr,
    },
    /// A VIP interface does not exist yet.
    InterfaceAbsent {
        /// Its name.
        interface: String,
    },
    /// No interface's network holds a VIP without `interface`, yet.
    NoInterfaceHolds {
        /// The VIP.
        vip: IpNet,
    },
    /// Several interfaces' networks hold a VIP without `interface`.
    SeveralInterfacesHold {
        /// The VIP.
        vip: IpNet,
        /// The first one, which is taken.
        taken: String,
        /// Another one.
        other: String,
    },
    /// VIP interfaces that the file counts apart are one on this machine.
    CountedTogether {
        /// A VIP of the interface that the file counts apart.
        vip: IpNet,
        /// The interface.
        interface: String,
    },
    /// A VIP interface is down, or its cable is dead.
    InterfaceDown {
        /// Its name.
        interface: String,
    },
    /// An IPv6 VIP cannot be on its interface.
    NoIpv6 {
        /// The VIP.
        vip: IpNet,
        /// Its interface.
        interface: String,
        /// Why.
        lack: Lack,
    },
    /// A VIP lies in none of its interface's networks.
    VipOutside {
        /// The VIP.
        vip: IpNet,
        /// Its interface.
        interface: String,
        /// The interface's networks of the VIP's family.
        networks: Vec<IpNet>,
    },
    /// A VIP's prefix is not that of its interface's network.
    PrefixDiffers {
        /// The VIP.
        vip: IpNet,
        /// Its interface.
        interface: String,
        /// The interface's network.
        network: IpNet,
    },
    /// A VIP is configured on this machine by somebody else.
    VipIsStatic {
        /// The address as configured.
        address: IpNet,
        /// Where.
        interface: String,
    },
    /// `addresses = []`: nothing is pinged.
    GatewaysOff,
    /// A VIP interface has no gateway to ping.
    NoGateway {
        /// Its name, or its VIP's network when that is not known.
        interface: String,
    },
    /// A gateway is in the network of no VIP interface.
    GatewayOffLink {
        /// The gateway.
        gateway: IpAddr,
    },
    /// A group has no VIP: there is no evidence that a silent peer does not run it.
    NoVip {
        /// The group's name.
        group: String,
    },
    /// A group holds data, and nothing switches a silent node off.
    DataUnfenced {
        /// The group's name.
        group: String,
    },
    /// A device is called by the order in which the kernel finds disks.
    KernelName {
        /// The device.
        device: String,
    },
    /// A mount's device is DRBD's, which its group does not promote.
    DrbdDevice {
        /// The device.
        device: String,
    },
    /// A VIP starts before a mount or a DRBD resource.
    VipAboveMount {
        /// The VIP.
        vip: IpNet,
        /// The mount's directory, or the DRBD resource.
        point: String,
    },
    /// A service starts before a VIP that it may want to listen on.
    ServiceAboveVip {
        /// The unit.
        unit: String,
        /// The VIP.
        vip: IpNet,
    },
    /// A service of both nodes cannot listen on a VIP where that is not.
    NeedsWildcard {
        /// The unit.
        unit: String,
        /// A VIP of its group.
        vip: IpNet,
    },
    /// What switches the other node off is in the network of a VIP.
    DeviceAmongClients {
        /// The device.
        device: String,
        /// The VIP.
        vip: IpNet,
    },
    /// What switches the peer off is reached over a network that the peer is heard on.
    DeviceBeside {
        /// The device.
        device: String,
        /// The interface.
        interface: String,
    },
    /// The check of a service of both nodes asks whoever has the VIP.
    CheckAsksVip {
        /// The unit.
        unit: String,
        /// The VIP.
        vip: IpNet,
    },
}

impl Warning {
    /// What the file chose, with what that costs, or what another sentence says as well: worth a remark. All else is
    /// as somebody should make it otherwise.
    pub fn is_remark(&self) -> bool {
        use Warning::*;
        match self {
            Unprotected
            | OnlyOneLink
            | LinksShareInterface { .. }
            | LinkRouted { .. }
            | NoInterlink { .. }
            | SeveralInterfacesHold { .. }
            | CountedTogether { .. }
            | PrefixDiffers { .. }
            | GatewaysOff
            | NoGateway { .. }
            | GatewayOffLink { .. }
            | NoVip { .. }
            | DataUnfenced { .. }
            | KernelName { .. }
            | DrbdDevice { .. }
            | VipAboveMount { .. }
            | ServiceAboveVip { .. }
            | NeedsWildcard { .. }
            | DeviceBeside { .. }
            | DeviceAmongClients { .. }
            | CheckAsksVip { .. } => true,
            // Of a carrier that is missing.
            InterfaceAbsent { .. } | InterfaceDown { .. } => true,
            VipOutside { networks, .. } => !networks.is_empty(),
            LinkAbsent { .. }
            | LinkDown { .. }
            | PeersAddressHere { .. }
            | LinkFiltered { .. }
            | NoInterfaceHolds { .. }
            | NoIpv6 { .. }
            | VipIsStatic { .. } => false,
        }
    }
}

/// What goes without an answer from the LAN.
const WITHOUT_GATEWAY: &str = "no takeover without fencing from a silent peer, and a node cut off from the LAN does not notice";

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Warning::*;
        match self {
            Unprotected => write!(
                f,
                "UNPROTECTED: neither fencing nor a witness; when the nodes lose sight of each other, two alone \
                 cannot be both safe and automatic, and takeover is best effort"
            ),
            LinkAbsent { local } => write!(
                f,
                "link address {local} is on no interface; no heartbeat uses this link until it is"
            ),
            LinkDown { local, interface } => write!(
                f,
                "link address {local} is on {interface}, which is down or has no carrier"
            ),
            PeersAddressHere { address, peer } => write!(
                f,
                "this host has {address}, which the file gives to {peer}; is this really not {peer}?"
            ),
            OnlyOneLink => write!(
                f,
                "only one link: one cable or one switch port makes the nodes lose sight of each other"
            ),
            LinksShareInterface {
                locals: [a, b],
                interface,
            } => write!(
                f,
                "links {a} and {b} are both on {interface}: they fail together"
            ),
            LinkRouted {
                local,
                peer,
                network,
            } => write!(
                f,
                "link {local} to {peer}: {peer} is outside the network {}, so a router carries it, and its silence \
                 is taken for the peer's",
                network.trunc()
            ),
            LinkFiltered {
                local,
                interface,
                other,
                network,
            } => write!(
                f,
                "link {local} is on {interface}, and {other} is in its network {} as well: the kernel drops there \
                 what it would answer through the other one; set net.ipv4.conf.{interface}.rp_filter = 2, which is \
                 1 here, or give each link a network of its own",
                network.trunc()
            ),
            NoInterlink { local } => write!(
                f,
                "the first link, {local}, is on a VIP's network: load on the service LAN may look like \
                 death; a cable between the nodes as first link prevents it"
            ),
            InterfaceAbsent { interface } => {
                write!(
                    f,
                    "interface {interface} does not exist; its VIPs wait for it"
                )
            }
            NoInterfaceHolds { vip } => write!(
                f,
                "no interface's network holds VIP {vip} yet; it waits for one, or for `interface`"
            ),
            SeveralInterfacesHold { vip, taken, other } => write!(
                f,
                "VIP {vip} is in the networks of both {taken} and {other}; {taken} is taken, `interface` would decide"
            ),
            CountedTogether { vip, interface } => write!(
                f,
                "VIP {vip} turns out to share {interface} with VIPs of another network; write `interface` at each of them, \
                 so that both nodes count their interfaces alike at any time"
            ),
            InterfaceDown { interface } => write!(
                f,
                "interface {interface} is down or has no carrier; its VIPs run only once it is up"
            ),
            NoIpv6 {
                vip,
                interface,
                lack,
            } => write!(
                f,
                "VIP {vip} cannot be on {interface} now: {lack}; the IPv4 VIPs of its group run without it, and it is \
                 added as soon as it can be"
            ),
            VipOutside {
                vip,
                interface,
                networks,
            } if networks.is_empty() => write!(
                f,
                "{interface} has no address of its own yet in the network of VIP {vip}"
            ),
            VipOutside {
                vip,
                interface,
                networks,
            } => {
                let networks: Vec<_> = networks.iter().map(IpNet::to_string).collect();
                write!(
                    f,
                    "VIP {vip} is outside the networks of {interface} ({}); only hosts with a route to it \
                     will reach it",
                    networks.join(", ")
                )
            }
            PrefixDiffers {
                vip,
                interface,
                network,
            } => write!(
                f,
                "VIP {vip} has another prefix length than the network of {interface}, {network}; the interface's counts"
            ),
            VipIsStatic { address, interface } => write!(
                f,
                "VIP {address} is configured on {interface} by somebody else; take it out of this host's \
                 network configuration, or both nodes may hold it"
            ),
            GatewaysOff => write!(
                f,
                "no gateway is pinged (`addresses = []`): {WITHOUT_GATEWAY}"
            ),
            NoGateway { interface } => {
                write!(f, "no gateway is known on {interface}: {WITHOUT_GATEWAY}")
            }
            GatewayOffLink { gateway } => write!(
                f,
                "gateway {gateway} is in the network of no VIP interface; it is not pinged"
            ),
            NoVip { group } => write!(
                f,
                "group {group} has no VIP: nothing shows whether a silent peer still runs it, so without fencing \
                 it is taken over from one only by `confirm-fenced`"
            ),
            DataUnfenced { group } => write!(
                f,
                "group {group} holds data, which is never taken over on evidence: without `[[fence]]` a silent \
                 peer's is, by `confirm-fenced` alone"
            ),
            KernelName { device } => write!(
                f,
                "{device} is a name by the order in which disks are found, and may be another disk after a boot: name it \
                 by /dev/disk/by-id"
            ),
            DrbdDevice { device } => write!(
                f,
                "{device} is DRBD's, and the group has no `drbd` for it: it mounts only where something else made it \
                 Primary, and nobody looks how old its data is; put the resource above it: `drbd = \"r0\"`"
            ),
            VipAboveMount { vip, point } => write!(
                f,
                "VIP {vip} stands above {point}: it answers before the data is there, and goes after it; put it below"
            ),
            ServiceAboveVip { unit, vip } => write!(
                f,
                "{unit} stands above VIP {vip} and starts before that is there; put it below, unless it listens \
                 on all addresses"
            ),
            NeedsWildcard { unit, vip } => {
                let version = if vip.addr().is_ipv4() { 4 } else { 6 };
                write!(
                    f,
                    "{unit} runs on both nodes, VIP {vip} on one of them: let it listen on all addresses, or set \
                     net.ipv{version}.ip_nonlocal_bind = 1, which is not so"
                )
            }
            DeviceBeside { device, interface } => write!(
                f,
                "{device} is reached through {interface}, as the other node is: what cuts that off cuts both, and \
                 nothing is taken over then; give the devices a network of their own, or the nodes another link"
            ),
            DeviceAmongClients { device, vip } => write!(
                f,
                "{device} is in the network of VIP {vip}: what cuts a node off from its clients cuts it off from the \
                 device as well, and nothing is taken over then; give the devices a network of their own"
            ),
            CheckAsksVip { unit, vip } => write!(
                f,
                "the check of {unit} asks VIP {vip}, which one node has at a time: on the other it asks the peer; \
                 ask 127.0.0.1"
            ),
        }
    }
}

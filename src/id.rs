//! What things are known by: a name, hashed, that survives a reload. Never a place in a file or a table,
//! so that another order, a new neighbour or a route that comes and goes gives nothing the memory of
//! something else.

use crate::wire::heartbeat::hash;
use std::fmt;
use std::net::IpAddr;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u64);

        impl $name {
            /// Of what has this name.
            pub fn of(name: &str) -> $name {
                $name(hash(name))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:x})", stringify!($name), self.0)
            }
        }
    };
}

id! {
    /// A group, by its name in ha.toml.
    GroupId
}
id! {
    /// A resource, by its kind and what it is called. Unique in its group.
    ResourceId
}
id! {
    /// A VIP interface, by what ha.toml says of it, so that both nodes know it by the same.
    VifId
}

/// A resource of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Its group.
    pub group: GroupId,
    /// Itself.
    pub resource: ResourceId,
}

/// A gateway: an address that is pinged through a VIP interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatewayId {
    /// The interface.
    pub vif: VifId,
    /// The address.
    pub address: IpAddr,
}

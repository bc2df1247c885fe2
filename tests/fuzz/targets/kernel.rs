//! What the kernel says.

use ha_appliance::agents::netlink::{Contents, contents};

/// No message means more than it says alone: nothing is read beyond its end.
pub fn netlink(datagram: &[u8]) {
    let mut alone = Contents::default();
    let mut rest = datagram;
    while let Some(message) = first(rest) {
        let one = contents(message);
        let followed = [message, &[0xff; 64]].concat();
        assert_eq!(
            contents(&followed[..followed.len() - message.len() % 4]),
            one
        );
        alone.changes.extend(one.changes);
        alone.addresses.extend(one.addresses);
        alone.interfaces.extend(one.interfaces);
        alone.neighbours.extend(one.neighbours);
        alone.gateways.extend(one.gateways);
        alone.on_link.extend(one.on_link);
        rest = rest
            .get(message.len().next_multiple_of(4)..)
            .unwrap_or_default();
    }
    assert_eq!(contents(datagram), alone);
}

/// By struct nlmsghdr of linux/netlink.h.
fn first(bytes: &[u8]) -> Option<&[u8]> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    bytes.get(..length).filter(|message| message.len() >= 16)
}

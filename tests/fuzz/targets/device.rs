//! What comes from a BMC.

use ha_appliance::agents::fence::ipmi::Privilege;
use ha_appliance::agents::fence::ipmi::handshake::{Handshake, Login, Random};
use ha_appliance::agents::fence::ipmi::packet::{self, Kind};
use ha_appliance::agents::fence::ipmi::suite::{Keys, Suite};

/// As a packet, as what is sealed in one, as a message, and as the answer to each step of a session's set-up.
pub fn ipmi(bytes: &[u8]) {
    for suite in [Suite::Three, Suite::Seventeen] {
        let keys = Keys::of(suite, b"a session integrity key");
        let packet = packet::read(bytes, None);
        assert!(packet.is_none_or(|p| p.session == 0 && matches!(p.kind, Kind::SetUp(_))));
        let _ = packet::read(bytes, Some(&keys));
        let sealed = packet::sealed(&keys, 7, 1, [3; 16], bytes);
        if bytes.len() < 1000 {
            let opened = packet::read(&sealed, Some(&keys)).expect("it is proven");
            assert_eq!(opened.payload, bytes);
        }
        let _ = keys.open(bytes);
        if let Some(message) = packet::read_message(bytes) {
            assert!(message.number < 64 && message.data.len() < bytes.len());
        }
        set_up(suite, bytes);
    }
}

/// Whatever answers, no session comes of it: nobody here knows the password.
fn set_up(suite: Suite, bytes: &[u8]) {
    let login = Login {
        user: b"ha",
        password: b"a password",
        kg: None,
        privilege: Privilege::Operator,
        suite,
        name_only: true,
    };
    let random = Random {
        tag: bytes.first().copied().unwrap_or_default(),
        session: 1,
        number: [9; 16],
    };
    let mut attempt = Handshake::new(login, random);
    let _ = attempt.opened(bytes);
    assert!(attempt.challenged(bytes).is_err());
    assert!(attempt.agreed(bytes).is_err());
}

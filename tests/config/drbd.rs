//! What is wrong with DRBD resources in a file, and what is said about those that are right.

use crate::BASE;
use crate::machine::{config, host};
use crate::mounts::mistakes;
use ha_appliance::config::resolve;
use ha_appliance::wire::heartbeat::Side;

const R0: &str = "[[group.resource]]\ndrbd = \"r0\"\n";
const MOUNT: &str =
    "[[group.resource]]\nmount = \"/mnt/data\"\ndevice = \"/dev/drbd1\"\nfstype = \"ext4\"\n";

#[test]
fn what_a_resource_must_be() {
    assert_eq!(mistakes(R0), [""; 0]);
    assert_eq!(mistakes(&format!("{R0}{MOUNT}")), [""; 0]);
    let r1 = R0.replace("r0", "r1");
    let more = "[[group]]\nname = \"more\"\n";
    for (text, told) in [
        (
            R0.replace("r0", "a b"),
            "2 `a b` is no name of a DRBD resource | write the name that stands after `resource` in /etc/drbd.d: \"r0\"",
        ),
        (
            format!("{R0}{more}{R0}"),
            "6 r0 is in a group already (line 25:8) | a resource stands once: delete one of the two",
        ),
        (
            format!("{R0}{r1}"),
            "4 r0 and r1 in one group (line 25:8) | a group has one DRBD resource, with as many volumes as it needs: make them one resource",
        ),
        (
            format!("{MOUNT}{R0}"),
            "6 r0 stands below the mount /mnt/data, which needs it | put it above: what is first in the file starts first",
        ),
    ] {
        assert_eq!(mistakes(&text), [told]);
    }
}

#[test]
fn what_should_be_otherwise_is_warned_of() {
    let (_, warnings) = resolve(&config(&format!("{BASE}{R0}{MOUNT}")), Side::First, &host());
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    for words in [
        "VIP 192.168.10.80/24 stands above drbd r0",
        "data, which is never taken over on evidence",
    ] {
        assert!(
            told.iter().any(|line| line.contains(words)),
            "{words}: {told:?}"
        );
    }
    assert!(!told.iter().any(|line| line.contains("has no `drbd`")));
}

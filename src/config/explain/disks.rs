//! What is understood of DRBD resources.

use crate::config::drbd::Drbd;
use std::fmt::{Result, Write};

/// A DRBD resource among the resources of its group.
pub(super) fn lines(out: &mut String, drbd: &Drbd) -> Result {
    writeln!(
        out,
        "    drbd {} Primary where the group runs, {} s to promote, {} s to demote",
        drbd.resource,
        Drbd::START.as_secs(),
        Drbd::STOP.as_secs()
    )?;
    writeln!(
        out,
        "      promoted where its data is certain to be the newest; the first failure moves the group, and counts until \
         `clear`"
    )
}

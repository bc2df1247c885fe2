//! What is understood of mounts.

use crate::config::duration::show;
use crate::config::mount::Mount;
use std::fmt::{Result, Write};

/// A mount among the resources of its group.
pub(super) fn lines(out: &mut String, mount: &Mount) -> Result {
    let target = &mount.target;
    let (start, stop) = (show(mount.start_timeout), show(mount.stop_timeout));
    writeln!(
        out,
        "    mount {} where the group runs, {start} to start, {stop} to stop",
        target.point
    )?;
    let options = match target.options.as_str() {
        "" => String::new(),
        options => format!(", {options}"),
    };
    let checked = match target.kind.checker() {
        Some(checker) => format!("; {checker} -p before each mount"),
        None => String::new(),
    };
    writeln!(
        out,
        "      {} of {}{options}{checked}",
        target.kind.name(),
        target.device
    )?;
    writeln!(
        out,
        "      the first failure moves the group, and counts until `clear`"
    )
}

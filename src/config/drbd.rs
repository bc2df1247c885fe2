//! Reads a `[[group.resource]]` of kind `drbd`.

use super::error::{Report, quoted};
use super::places::Subject;
use super::read::Section;
use super::vip::Around;
use std::time::Duration;

/// A DRBD resource that is Primary where the group runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drbd {
    /// What DRBD calls it.
    pub resource: String,
}

impl Drbd {
    /// How long a promotion may take: DRBD may ask what became of the other node, which takes as long as that may
    /// answer.
    pub const START: Duration = Duration::from_secs(60);
    /// How long a demotion may take, with the ten seconds for which whoever has the device open is waited for.
    pub const STOP: Duration = Duration::from_secs(30);
}

/// Reads one, and notes it among those of the file.
pub(super) fn drbd(
    section: &Section,
    group: &str,
    around: &mut Around,
    report: &mut Report,
) -> Option<Drbd> {
    let name = section.text("drbd", report)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    let resource = name.value.to_owned();
    if resource.is_empty() || resource.starts_with('-') || !resource.chars().all(fits) {
        let what = format!("{} is no name of a DRBD resource", quoted(&resource));
        let help = "write the name that stands after `resource` in /etc/drbd.d: \"r0\"";
        report.add(&name.span, what, help);
        return None;
    }
    report.mark(Subject::Drbd(resource.clone()), &name.span);
    for (known, owner, span) in &around.drbd {
        let there = report.line_column(span);
        if *known == resource {
            let what = format!("{resource} is in a group already (line {there})");
            report.add(
                &name.span,
                what,
                "a resource stands once: delete one of the two",
            );
        } else if owner == group {
            let what = format!("{known} and {resource} in one group (line {there})");
            let help = "a group has one DRBD resource, with as many volumes as it needs: make them one resource";
            report.add(&name.span, what, help);
        }
    }
    if let Some(point) = around.mount_of_drbd(group) {
        let what = format!("{resource} stands below the mount {point}, which needs it");
        let help = "put it above: what is first in the file starts first";
        report.add(&name.span, what, help);
    }
    around
        .drbd
        .push((resource.clone(), group.to_owned(), name.span));
    Some(Drbd { resource })
}

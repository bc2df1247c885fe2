//! Why an operator's move cannot be, and what would help.

use super::super::context::Context;
use super::super::node::Managed;
use super::super::protocol::peer::PeerState;
use crate::wire::heartbeat::{Readiness, Role};
use crate::words::Voice;

impl Managed {
    /// None: it can be.
    pub fn refusal(&self, cx: &Context) -> Option<String> {
        let peer = &cx.node.names[cx.me().other() as usize];
        if self.token().holder != cx.me() {
            return Some(format!("{peer} holds it already"));
        }
        if self.group.has_failed() {
            let me = &cx.node.names[cx.me() as usize];
            return Some(format!(
                "a stop failed on {me}: repair it there, then `ha-appliance clear`"
            ));
        }
        if cx.maintenance {
            return Some("maintenance is on: end it with `ha-appliance maintenance off`".into());
        }
        match cx.peer.state() {
            PeerState::Alive => {}
            PeerState::Refused => {
                let here = &cx.node.names[cx.me() as usize];
                let why = cx.peer.why().0.words(Voice { here, peer });
                return Some(format!("{peer} is refused: {why}"));
            }
            state => return Some(format!("{peer} is {state}: it must be heard first")),
        }
        let Some(report) = cx.report() else {
            return Some(format!(
                "{peer} does not know this group: bring both ha.toml in line, then `ha-appliance reload`"
            ));
        };
        let here = self.plan.readiness(cx, &self.group);
        match report.readiness {
            Readiness::Barred => Some(format!(
                "{peer} may not run it: `ha-appliance online {peer}` ends a standby, `ha-appliance start` a stop"
            )),
            there if there < here => Some(format!(
                "{peer} is worse off{}",
                match report.fail_count {
                    0 if !self.group.same_list(cx) => {
                        ": the two ha.toml list different parts of it, and what one lacks the other holds back with all \
                         that follows it: bring both in line, then `ha-appliance reload`"
                            .into()
                    }
                    0 => String::new(),
                    count => format!(
                        " ({count} failures): mend their cause there first, then `ha-appliance clear`"
                    ),
                }
            )),
            _ if report.role == Role::Failed => Some(format!(
                "a stop failed on {peer}: repair it, then `ha-appliance clear`"
            )),
            _ => None,
        }
    }
}

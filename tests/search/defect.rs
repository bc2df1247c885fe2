//! Deliberate defects, to see the search find them. Each makes the node believe what a broken rule
//! would make it believe, by changing what it hears or what the world does: the core stays as it is.

use super::world::Mind;
use ha_appliance::core::canonical::Mark;
use ha_appliance::wire::heartbeat::Heartbeat;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A stop counts as done while the resource still runs: a grant before the stop.
    StopLies,
    /// A restarted daemon takes for stopped what it did not look at.
    BlindLook,
    /// Agreement without the peer's proof that it runs nothing.
    Unproven,
    /// Agreement by an old heartbeat: every echo counts as fresh.
    OldEcho,
    /// A clearance is given on silence alone (a fence agent that falsely reports success).
    SourceLies,
    /// The peer's token, of a higher epoch or not, is taken for one's own.
    HigherEpoch,
    /// Incarnations that are no more are taken for the living one.
    StaleIncarnation,
    /// A cession counts as done before it is: a grant before it.
    CedeLies,
    /// "Proven stopped" from the cession on, and not from the grant on.
    EarlyProof,
    /// A renewal that waited is carried out after the grant.
    LateRenewal,
    /// What is handed over keeps the lifetime it had.
    LongCede,
    /// A write is reported done and never happens.
    NothingWritten,
}

impl Defect {
    /// What the receiver takes a heartbeat for.
    pub fn rewrite(self, heartbeat: &mut Heartbeat, receiver: &Mind) {
        let fresh = receiver.mark(Mark::Sent);
        match self {
            Defect::Unproven => heartbeat.groups[0].proven_stopped = true,
            Defect::OldEcho => heartbeat.echo = fresh,
            Defect::StaleIncarnation => {
                let believed = receiver.mark(Mark::Believed);
                if believed.incarnation != 0 && heartbeat.incarnation != believed.incarnation {
                    heartbeat.incarnation = believed.incarnation;
                    heartbeat.sequence = believed.sequence + 1;
                } else if believed.incarnation == 0 {
                    heartbeat.echo = fresh;
                }
            }
            Defect::HigherEpoch => {
                let own = receiver.node.view().groups[0].token;
                heartbeat.groups[0].token = own;
            }
            Defect::StopLies
            | Defect::BlindLook
            | Defect::SourceLies
            | Defect::CedeLies
            | Defect::EarlyProof
            | Defect::LateRenewal
            | Defect::LongCede
            | Defect::NothingWritten => {}
        }
    }
}

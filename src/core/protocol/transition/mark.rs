//! The mark in the run directory: what this boot had the right to start, for a daemon of the same boot that comes after.

use super::super::group::{Group, Started};
use super::super::takes::TakesBy;
use crate::core::context::Context;
use crate::core::event::Action;

impl Group {
    /// What the mark says stays true: while the group runs, of a token that is followed, of what a reload adds or takes
    /// away, of what is covered later; while it does not, of what is in the file, and of a peer's other word.
    pub(in crate::core::protocol) fn keep_mark(&mut self, cx: &Context, out: &mut Vec<Action>) {
        let Some(mark) = &self.mark else { return };
        if self.state.right().is_some() && self.token.holder == cx.me() {
            self.set_mark(cx, out);
        } else {
            let left = Started {
                covered: self.listing(|r| mark.covered.contains(&r.id)),
                ..*mark
            };
            let keeps = left.runs || self.outlasts(cx);
            self.note_mark(Some(left).filter(|_| keeps), out);
        }
    }

    /// What this boot had stays this node's when it is stopped, whatever the peer makes of its silence.
    pub(super) fn outlasts(&self, cx: &Context) -> bool {
        cx.peer_takes_by == TakesBy::Proof
    }

    pub(super) fn set_mark(&mut self, cx: &Context, out: &mut Vec<Action>) {
        // What is held back now this boot may have had before.
        let kept = self.outlasts(cx);
        let started = Started {
            epoch: self.token.epoch,
            covered: self.listing(|r| r.covered || (kept && self.had(r.id))),
            runs: true,
        };
        self.note_mark(Some(started), out);
    }

    /// Whoever is given it, or told that nothing of it runs here and never will, may start it.
    pub(in crate::core) fn clear_mark(&mut self, out: &mut Vec<Action>) {
        self.note_mark(None, out);
    }

    pub(super) fn note_mark(&mut self, mark: Option<Started>, out: &mut Vec<Action>) {
        if self.mark != mark {
            self.mark = mark.clone();
            out.push(Action::Mark(self.id, mark));
        }
    }
}

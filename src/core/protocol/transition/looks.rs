//! What could not be stopped is looked at again and again, until nothing of it is left.

use super::super::group::{Group, Looks, State};
use super::super::resource::Kind;
use crate::core::context::Context;
use crate::core::event::Action;
use crate::core::reason::Reason;
use crate::core::time::Time;
use std::time::Duration;

/// What could not be stopped is looked at again after this; it doubles up to [`LONGEST_LOOK`].
const LOOK: Duration = Duration::from_secs(5);
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// Between two passes that find nothing, which prove it together.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Looks {
    /// A stop failed.
    pub(super) fn begin(now: Time) -> Looks {
        Looks {
            next: None,
            at: now + LOOK,
            clean: 0,
            vain: 0,
            again: false,
        }
    }
}

impl Group {
    /// What could not be stopped is looked at now, as somebody may have ended it or what kept it, and stopped once more.
    pub(in crate::core) fn try_again(&mut self, now: Time) {
        if let State::Failed { looks } = &mut self.state {
            (looks.at, looks.clean, looks.vain, looks.again) = (now, 0, 0, true);
        }
    }

    /// Whoever wanted that was told that it was not done.
    pub(in crate::core) fn try_no_more(&mut self) {
        if let State::Failed { looks } = &mut self.state {
            looks.again = false;
        }
    }

    /// That was in vain.
    pub(in crate::core) fn is_still_there(&self) -> bool {
        matches!(self.state, State::Failed { looks } if !looks.again)
    }

    /// What could not be stopped is looked at, in two passes a second apart: what both find stopped is. What is still there
    /// is stopped once more if somebody wants that, and the rest of the group once nothing stands in its way.
    pub(super) fn look_again(
        &mut self,
        cx: &Context,
        mut looks: Looks,
        out: &mut Vec<Action>,
    ) -> bool {
        match looks.next {
            None if cx.now < looks.at || self.busy() => return false,
            None => looks.next = Some(0),
            Some(next) if next < self.resources.len() => {
                if self.resources[next].work.is_some() {
                    return false;
                }
                if self.resources[next].exclusive() {
                    self.state = State::Failed { looks };
                    self.launch(cx, Kind::Look, next, out); // whose end goes on to the next
                    return false;
                }
                looks.next = Some(next + 1);
            }
            Some(_) => {
                looks.next = None;
                let stuck = self.resources.iter().any(|r| r.stuck && r.present);
                if self.runs_exclusive() && (looks.again || !stuck) {
                    self.resources.iter_mut().for_each(|r| r.stuck = false);
                    let haste = self.in_haste(cx);
                    let stopping = State::Stopping {
                        haste,
                        granting: None,
                    };
                    let reason = match stuck {
                        true => Reason::Operator,
                        false => Reason::StuckEnded,
                    };
                    self.enter(stopping, reason, out);
                    return true;
                }
                if self.runs_exclusive() {
                    let wait = LOOK * 2u32.pow(u32::from(looks.vain).min(4));
                    (looks.clean, looks.at) = (0, cx.now + wait.min(LONGEST_LOOK));
                    looks.vain = looks.vain.saturating_add(1).min(8);
                } else {
                    (looks.clean, looks.at) = (looks.clean + 1, cx.now + LOOK_AGAIN);
                }
                if looks.clean >= 2 {
                    self.resources.iter_mut().for_each(|r| r.stuck = false);
                    self.rest(cx, Reason::FoundStopped, out);
                    return true;
                }
            }
        }
        self.state = State::Failed { looks };
        true
    }
}

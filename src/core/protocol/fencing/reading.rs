//! Reads the devices: when each is asked, and what its answer proves.

use super::device::Read;
use super::{Fencing, Gave, Said, Seen, Shot};
use crate::core::event::{Action, Answer, Ask};
use crate::core::reason::Reason;
use crate::core::setup::{FencingSetup, Setup};
use crate::core::time::Time;

impl Fencing {
    /// A device answered; true: the peer is off, verified. `incarnation`: whose.
    pub fn answered(
        &mut self,
        now: Time,
        index: usize,
        answer: &Answer,
        silent: bool,
        incarnation: u64,
        setup: &FencingSetup,
    ) -> bool {
        self.stirred = true;
        let Some(device) = self.devices.get_mut(index) else {
            return false;
        };
        if let Answer::Failed(why) = answer {
            self.waits = Some(Reason::ClearanceRefused(why.clone()));
        }
        if let Some((Ask::Off, _)) = device.asking {
            let accepted = *answer == Answer::Accepted;
            if let Shot::Sent { at, said, .. } = &mut self.shot {
                // It may have left as late as this.
                *at = now;
                *said = match accepted {
                    true => Said::Accepted,
                    false => Said::Refused,
                };
            }
        }
        if device.distrusted && *answer == Answer::Off {
            let why =
                "a device reads off that is not believed: it read off of a machine that lived on";
            self.waits = Some(Reason::ClearanceRefused(why.into()));
        }
        let read = device.answered(now, answer, setup.settle);
        if !device.distrusted {
            let id = device.id;
            self.liars.retain(|liar| *liar != id);
        }
        match read {
            Read::On(asked) => {
                if let Shot::Sent { at, over, .. } = &mut self.shot {
                    *over |= asked > *at + setup.off_time;
                }
                false
            }
            Read::Off if silent => {
                let id = device.id;
                (self.gave, self.verified) = (Gave { level: index, id }, incarnation);
                self.went_off(now);
                true
            }
            Read::Off | Read::Nothing => false,
        }
    }

    /// What left switched it off, if anything did.
    fn went_off(&mut self, now: Time) {
        let Shot::Sent { said, ordered, .. } = &mut self.shot else {
            return;
        };
        if std::mem::replace(said, Said::Off) != Said::Off
            && !*ordered
            && let Some(count) = &mut self.count
        {
            count.switched_off(now);
        }
    }

    /// Reads every device whose turn has come.
    pub(super) fn read(
        &mut self,
        seen: &Seen,
        setup: &Setup,
        fencing: &FencingSetup,
        out: &mut Vec<Action>,
    ) {
        let shot = self.next_shot(seen, setup, fencing);
        for (device, level) in self.devices.iter_mut().enumerate() {
            let next = *level.next.get_or_insert(seen.now);
            if level.asking.is_none() && level.reads_at(next, shot) <= seen.now {
                level.asking = Some((Ask::Status, seen.now));
                let ask = Ask::Status;
                out.push(Action::Device { device, ask });
            }
        }
    }
}

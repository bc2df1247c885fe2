//! The answer of the other node to a command: a heartbeat has room for its beginning, and the whole of it comes beside.

use crate::core::time::Time;
use crate::wire::heartbeat::CUT;
use std::time::Duration;

/// Answers whose end is not there yet. A node asks for one thing at a time.
#[derive(Debug, Default)]
pub struct Replies(Option<Begun>);

#[derive(Debug)]
struct Begun {
    number: u32,
    accepted: bool,
    begin: String,
    until: Time,
}

/// Who waits for an answer has waited long enough.
const PATIENCE: Duration = Duration::from_secs(2);

impl Replies {
    /// An answer by a command's number. True: it was cut, and its end is waited for.
    pub fn begin(&mut self, now: Time, number: u32, accepted: bool, text: &str) -> bool {
        let Some(begin) = text.strip_suffix(CUT) else {
            return false;
        };
        self.0 = Some(Begun {
            number,
            accepted,
            begin: begin.into(),
            until: now + PATIENCE,
        });
        true
    }

    /// The whole text of one: the number of the command, and how it ended.
    pub fn whole(&mut self, text: &str) -> Option<(u32, bool)> {
        let begun = self.0.take_if(|begun| text.starts_with(&begun.begin))?;
        Some((begun.number, begun.accepted))
    }

    /// What there is of one whose end does not come.
    pub fn late(&mut self, now: Time) -> Option<(u32, bool, String)> {
        let begun = self.0.take_if(|begun| begun.until <= now)?;
        let text = format!("{} {CUT} (cut)", begun.begin.trim_end());
        Some((begun.number, begun.accepted, text))
    }

    /// When one is waited for no more.
    pub fn deadline(&self) -> Option<Time> {
        self.0.as_ref().map(|begun| begun.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Time {
        Time(ms * 1000)
    }

    #[test]
    fn what_was_cut_waits_for_the_whole_and_not_for_ever() {
        let mut replies = Replies::default();
        assert!(!replies.begin(at(0), 7, true, "moved to lb2 in 28 ms"));
        assert!(replies.begin(at(0), 8, false, "refused: lb2 may not …"));
        assert_eq!(replies.deadline(), Some(at(2000)));
        assert_eq!(replies.whole("of another question"), None);
        let whole = "refused: lb2 may not run it";
        assert_eq!(replies.whole(whole), Some((8, false)));
        assert_eq!((replies.whole(whole), replies.deadline()), (None, None));
        replies.begin(at(5000), 9, false, "refused: lb2 may not …");
        assert_eq!(replies.late(at(6999)), None);
        let text = "refused: lb2 may not … (cut)".to_owned();
        assert_eq!(replies.late(at(7000)), Some((9, false, text)));
    }
}

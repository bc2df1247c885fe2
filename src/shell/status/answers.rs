//! The latest requests and what became of them, for the subcommands that wait for it.

use super::Answer;
use std::collections::VecDeque;

/// The latest [`Answers::KEPT`] requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Oldest first.
    latest: VecDeque<Answer>,
}

impl Answers {
    /// So many are remembered; a subcommand polls far faster than an operator can type.
    pub const KEPT: usize = 16;

    /// A request arrived. One that is already known (given twice) is left as it is.
    pub fn begin(&mut self, number: u16) {
        if self.latest.iter().any(|a| a.number == number) {
            return;
        }
        if self.latest.len() == Self::KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(Answer {
            number,
            done: false,
            accepted: false,
            text: String::new(),
        });
    }

    /// It was answered; also if it was not begun.
    pub fn finish(&mut self, number: u16, accepted: bool, text: impl Into<String>) {
        self.begin(number);
        // Of long answers the latest alone is kept: everything here is written once a second.
        for old in self.latest.iter_mut().filter(|a| a.text.len() > LONG) {
            old.text = "(was longer)".into();
        }
        if let Some(answer) = self.latest.iter_mut().find(|a| a.number == number) {
            *answer = Answer {
                number,
                done: true,
                accepted,
                text: text.into(),
            };
        }
    }

    /// All of them, oldest first.
    pub fn to_vec(&self) -> Vec<Answer> {
        self.latest.iter().cloned().collect()
    }
}

const LONG: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_answers_the_latest_is_kept() {
        let mut answers = Answers::default();
        answers.finish(1, true, "short");
        for number in 2..5 {
            answers.finish(number, true, "x".repeat(LONG + 1));
        }
        let lengths: Vec<usize> = answers.to_vec().iter().map(|a| a.text.len()).collect();
        assert_eq!(lengths, [5, 12, 12, LONG + 1]);
    }

    #[test]
    fn the_oldest_goes_first_and_an_answer_stays() {
        let mut answers = Answers::default();
        for number in 0..20 {
            answers.begin(number);
        }
        answers.finish(7, true, "done");
        answers.begin(7);
        answers.finish(99, false, "no");
        let all = answers.to_vec();
        assert_eq!(all.len(), Answers::KEPT);
        assert_eq!(all[0].number, 5);
        assert_eq!(
            all.iter()
                .find(|a| a.number == 7)
                .map(|a| (a.done, a.text.as_str())),
            Some((true, "done"))
        );
        assert_eq!(
            all.last().map(|a| (a.number, a.accepted)),
            Some((99, false))
        );
    }
}

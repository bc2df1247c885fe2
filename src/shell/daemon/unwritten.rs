//! Before a move that somebody plans: what was written to its file systems goes to the disk while all of it still serves,
//! so that nobody waits for that between the one node and the other.

use super::moves::moves;
use super::*;

/// Orders that wait for it, each with the groups that it moves away from here, and until when.
#[derive(Default)]
pub(super) struct Waiting(Vec<(Time, u32, Command, Vec<GroupId>)>);

/// So long an order waits: more is written back beside the stops.
const ORDERED: Duration = Duration::from_secs(15);
/// Less than what the unit gives a daemon that has not begun to leave.
const LEAVES: Duration = Duration::from_secs(5);

impl Waiting {
    /// When the first has waited for long enough.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.0.iter().map(|(until, ..)| *until).min()
    }
}

impl Daemon {
    /// Hands it to the core, at once where nothing is mounted that it moves away from here.
    pub(super) fn command_once_written(&mut self, number: u32, command: Command) {
        let here = moves(&self.node.view(), command).into_iter();
        let here = here.filter(|(_, from)| *from == self.me);
        let groups: Vec<GroupId> = here.map(|(group, _)| group).collect();
        for group in &groups {
            self.mounts.write_back(*group);
        }
        let limit = match command {
            Command::Leave => LEAVES,
            _ => ORDERED,
        };
        let until = clock::now() + limit;
        self.unwritten.0.push((until, number, command, groups));
        self.finish_writing_back();
    }

    /// Those whose groups have nothing left to be written back, or have waited for long enough.
    pub(super) fn finish_writing_back(&mut self) {
        let now = clock::now();
        let waits = |(until, _, _, groups): &(Time, u32, Command, Vec<GroupId>)| {
            *until > now
                && groups
                    .iter()
                    .any(|group| self.mounts.is_writing_back(*group))
        };
        let (wait, due) = self.unwritten.0.drain(..).partition(waits);
        self.unwritten.0 = wait;
        for (_, number, command, _) in due {
            self.command(number, command);
        }
    }
}

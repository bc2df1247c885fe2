//! What the two daemons tell each other for people's eyes: it rides beside the heartbeat and is decided on by nobody, but
//! that one asks the other to outdate its data.
//!
//! - `stream`: bytes in order, each once, whatever is lost;
//! - `message`: what they say, a line of JSON each; `cut`: what is too long for one;
//! - `outbox`: what is owed to the other; `telling`: this node's history, as it is told there;
//! - `conversation`: what goes on the stream, and when;
//! - `reply`: an answer that is too long for a heartbeat;
//! - `heard`: the other node's history, as far as it was told.

mod conversation;
mod cut;
mod heard;
mod message;
mod outbox;
mod reply;
mod stream;
mod telling;

pub use conversation::Conversation;
pub use heard::{Heard, read};
pub use message::{End, Message};
pub use outbox::Parts;
pub use reply::Replies;
pub use stream::{MAX_LINE, MAX_WAITING, Room, Stream};
pub use telling::KEPT;

use crate::shell::history::Entry;

fn entry_of(entry: Entry) -> Message {
    Message::Entry(Box::new(entry))
}

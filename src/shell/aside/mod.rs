//! What the two daemons tell each other for people's eyes: it rides beside the heartbeat and is decided on by nobody.
//!
//! - `stream`: bytes in order, each once, whatever is lost;
//! - `message`: what they say, a line of JSON each;
//! - `heard`: the other node's history, as far as it was told.

mod heard;
mod message;
mod stream;

pub use heard::{Heard, KEPT, read};
pub use message::Message;
pub use stream::{MAX_LINE, MAX_WAITING, Stream};

//! The language of the scenarios: `words` are its commands, `lines` what is written of what comes of them.

mod lines;
mod words;

pub use lines::told;
pub use words::obey;

use ha_appliance::wire::heartbeat::Side;

/// What a node is called.
pub fn name(side: Side) -> &'static str {
    match side {
        Side::First => "first",
        Side::Second => "second",
    }
}

//! Printing. A reader who hung up (`| head`) is no error worth a panic.

use super::exit::Exit;
use std::io::Write;

/// Prints the text as it is.
pub(super) fn print(text: &str) -> Exit {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Exit::Well
}

/// Says on stderr what is wrong, and gives this exit code.
pub(super) fn fail(exit: Exit, what: impl std::fmt::Display) -> Exit {
    let _ = writeln!(std::io::stderr(), "{what}");
    exit
}

//! Why something could not be asked or done, which says nothing about whom it was about.
//!
//! A tool that cannot be run, hangs or talks nonsense, a process table or a descriptor table that is full:
//! that is this machine's trouble. It ends no operation before its deadline, counts against no service,
//! and is said while it lasts.

use std::fmt;
use std::io;

/// In words, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble(pub String);

impl Trouble {
    /// From what a system call said.
    pub fn of(what: &str, error: &io::Error) -> Trouble {
        Trouble(format!("{what}: {}", words(error)))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether it says that this process or machine has no descriptor, process or memory for it just now.
pub fn lacks_resources(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EAGAIN)
    )
}

/// Whether it says that this machine lacks something, and nothing about whoever was to be reached.
pub fn is_own(error: &io::Error) -> bool {
    let of_ours = [
        libc::ENOSPC, // of watches
        libc::EADDRNOTAVAIL,
        libc::EACCES,
        libc::EPERM,
    ];
    lacks_resources(error) || error.raw_os_error().is_some_and(|e| of_ours.contains(&e))
}

/// What went wrong, without the number that Rust adds.
pub fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_told_apart_from_what_another_says() {
        let of = io::Error::from_raw_os_error;
        assert!(is_own(&of(libc::EMFILE)) && is_own(&of(libc::EADDRNOTAVAIL)));
        assert!(!is_own(&of(libc::ECONNREFUSED)) && !is_own(&of(libc::EHOSTUNREACH)));
        assert!(!is_own(&io::Error::other("x")));
        assert!(lacks_resources(&of(libc::ENFILE)) && !lacks_resources(&of(libc::ENOSPC)));
    }

    #[test]
    fn it_is_said_without_numbers() {
        let error = io::Error::from_raw_os_error(libc::EAGAIN);
        assert_eq!(
            Trouble::of("fork", &error).to_string(),
            "fork: resource temporarily unavailable"
        );
    }
}

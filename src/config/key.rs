//! The keys that heartbeats are signed with: 16 bytes or more each, written as hex digits.
//!
//! A key file holds one key a line, so that a key can be changed without a gap: add the new one as
//! the last line on both nodes, then move it to the top on both, then drop the old one. Whoever can
//! read the key can make the pair believe anything, so a file that others may read is refused, and
//! no message ever shows a key.

use super::error::{Mistake, Place};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Shortest key in bytes: below, guessing becomes imaginable.
pub const MIN_KEY: usize = 16;
/// Longest key in bytes.
pub const MAX_KEY: usize = 128;
/// Most keys. A rotation needs two; each one is another HMAC for every forged datagram.
pub const MAX_KEYS: usize = 4;
/// Longest key file in bytes, comments and all.
const MAX_FILE: u64 = 64 * 1024;

/// A key file's line with a new key, as `keygen` prints it; without a newline.
pub fn generate_key_line(random: [u8; 32]) -> String {
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why a key file was not read: what is wrong, and what to do.
pub(super) type Refusal = (String, String);

/// What a file that others must not read holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    /// The keys of the heartbeats.
    Key,
    /// A password.
    Password,
}

impl Secret {
    fn file(self) -> &'static str {
        match self {
            Secret::Key => "key file",
            Secret::Password => "password file",
        }
    }

    fn make(self) -> &'static str {
        match self {
            Secret::Key => {
                "copy it from the other node, mode 600; or make it once, on the first: `ha-appliance keygen --write`"
            }
            Secret::Password => {
                "write the password into it, alone, and `chmod 600` it; on both nodes"
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Secret::Key => "name a file with one key a line",
            Secret::Password => "name a file with nothing but the password",
        }
    }
}

/// Reads a file that only its owner can.
pub(super) fn read_file(path: &Path, secret: Secret) -> Result<String, Refusal> {
    let what = secret.file();
    let unreadable = |error: io::Error| {
        let help = match error.kind() {
            io::ErrorKind::NotFound => secret.make(),
            io::ErrorKind::PermissionDenied => "run as root, or make root its owner",
            _ => secret.name(),
        };
        let what = format!("the {what} {} cannot be read: {error}", path.display());
        (what, help.to_owned())
    };
    let mut file = File::open(path).map_err(unreadable)?;
    // The opened file is examined, not the path: the path may be another file by now.
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err((
            format!("the {what} {} is not a regular file", path.display()),
            secret.name().to_owned(),
        ));
    }
    private(path, what, facts.mode(), facts.uid())?;
    // Cut at the limit, the last key could become another one.
    if facts.len() > MAX_FILE {
        return Err((
            format!(
                "the {what} {} is longer than {MAX_FILE} bytes",
                path.display()
            ),
            secret.name().to_owned(),
        ));
    }
    let mut text = String::new();
    file.by_ref()
        .take(MAX_FILE)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(text)
}

/// Refuses a file that holds a key and that others may read or change.
pub(super) fn private(path: &Path, what: &str, mode: u32, owner: u32) -> Result<(), Refusal> {
    let shown = path.display();
    if mode & 0o077 != 0 {
        return Err((
            format!(
                "the {what} {shown} is open to others than its owner (mode {:04o})",
                mode & 0o7777
            ),
            format!("chmod 600 {shown}"),
        ));
    }
    if owner != 0 && owner != crate::sys::effective_user() {
        return Err((
            format!("the {what} {shown} belongs to user {owner}, who could change it"),
            format!("chown root {shown}"),
        ));
    }
    Ok(())
}

/// The keys of a key file's text.
pub(super) fn parse_file(path: &Path, text: &str) -> Result<Vec<Vec<u8>>, Mistake> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let key = line.split('#').next().unwrap_or("").trim();
        if key.is_empty() {
            continue;
        }
        let mistake = |column: usize, what: String, help: &str| Mistake {
            place: Some(Place {
                path: path.to_owned(),
                line: index + 1,
                column,
                excerpt: None,
                width: 1,
            }),
            what,
            help: help.to_owned(),
        };
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        match parse(key) {
            Ok(_) if keys.len() == MAX_KEYS => {
                return Err(mistake(
                    indent + 1,
                    format!("more than {MAX_KEYS} keys"),
                    "a rotation needs two: delete the old ones",
                ));
            }
            Ok(key) => keys.push(key),
            Err((at, what, help)) => return Err(mistake(indent + 1 + at, what, &help)),
        }
    }
    if keys.is_empty() {
        return Err(Mistake {
            place: None,
            what: format!("the key file {} holds no key", path.display()),
            help: "write one there with `ha-appliance keygen`, and the same on the other node"
                .into(),
        });
    }
    Ok(keys)
}

/// A key from its hex digits; the error says at which character, what is wrong, and what to do.
pub(super) fn parse(text: &str) -> Result<Vec<u8>, (usize, String, String)> {
    let help = "a key is hex digits, two a byte, as `ha-appliance keygen` prints it";
    if let Some((at, _)) = text
        .chars()
        .enumerate()
        .find(|(_, c)| !c.is_ascii_hexdigit())
    {
        return Err((
            at,
            format!("character {} is not a hex digit", at + 1),
            help.into(),
        ));
    }
    let digits = text.len();
    if !digits.is_multiple_of(2) {
        return Err((
            0,
            format!("a key of {digits} hex digits: one is missing"),
            help.into(),
        ));
    }
    let bytes = digits / 2;
    if bytes < MIN_KEY {
        return Err((
            0,
            format!("a key of {bytes} bytes is shorter than {MIN_KEY}"),
            "make one with `ha-appliance keygen`".into(),
        ));
    }
    if bytes > MAX_KEY {
        return Err((
            0,
            format!("a key of {bytes} bytes is longer than {MAX_KEY}"),
            "one key a line; make one with `ha-appliance keygen`".into(),
        ));
    }
    let pairs = text.as_bytes().chunks(2);
    Ok(pairs
        .map(|pair| nibble(pair[0]) << 4 | nibble(pair[1]))
        .collect())
}

fn nibble(digit: u8) -> u8 {
    (digit as char).to_digit(16).map_or(0, |value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_reads_back() {
        let random: [u8; 32] = std::array::from_fn(|i| (i * 37) as u8);
        let line = generate_key_line(random);
        assert_eq!(line.len(), 64);
        assert_eq!(parse(&line).unwrap(), random);
        assert_eq!(parse(&line.to_uppercase()).unwrap(), random);
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        let line = generate_key_line([7; 32]);
        let text = format!(
            "# made on Monday\n\n  {line}  # signs\r\n{}\n",
            "00".repeat(16)
        );
        let keys = parse_file(Path::new("key"), &text).unwrap();
        assert_eq!(keys, [vec![7; 32], vec![0; 16]]);
    }
}

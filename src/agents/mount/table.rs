//! The kernel's table of mounts, as this process sees it: /proc/PID/mountinfo, see proc(5).

use crate::agents::trouble::Trouble;
use std::fs;
use std::io;
use std::path::Path;

/// A block device by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number {
    /// The driver's.
    pub major: u32,
    /// Its own.
    pub minor: u32,
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The mount's number, the same in every descriptor's `mnt_id`.
    pub id: u64,
    /// The device of what is mounted.
    pub device: Number,
    /// Where.
    pub point: String,
    /// The kind of file system.
    pub kind: String,
    /// What it was mounted by.
    pub source: String,
    /// The options of the file system itself, whichever mount of it is meant.
    pub options: String,
}

/// All mounts, those made later after those that they cover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(pub Vec<Entry>);

/// Which of the numbers in a device's `stat` that is.
const WRITTEN: usize = 6;

impl Number {
    /// From `st_dev` or `st_rdev`.
    pub fn of(device: u64) -> Number {
        Number {
            major: libc::major(device),
            minor: libc::minor(device),
        }
    }

    /// How much was written to it since it is there, in sectors.
    pub fn written(self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/sys/dev/block/{self}/stat")).ok()?;
        text.split_ascii_whitespace().nth(WRITTEN)?.parse().ok()
    }

    /// This machine has such a device, whatever it is called.
    pub(super) fn exists(self) -> bool {
        Path::new(&format!("/sys/dev/block/{self}")).exists()
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl Table {
    /// This process's own.
    pub fn read() -> io::Result<Table> {
        Table::of("self")
    }

    /// The same. That it cannot be read says nothing about any mount.
    pub(super) fn seen() -> Result<Table, Trouble> {
        Table::read().map_err(|e| Trouble::of("/proc/self/mountinfo", &e))
    }

    /// A process's. Read until it says the same twice: a table that changes meanwhile may lack what never changed.
    pub fn of(process: &str) -> io::Result<Table> {
        let path = format!("/proc/{process}/mountinfo");
        let mut text = fs::read(&path)?;
        for _ in 0..READS {
            let again = fs::read(&path)?;
            if again == text {
                break;
            }
            text = again;
        }
        Ok(Table::parse(&String::from_utf8_lossy(&text)))
    }

    /// Lines that mean nothing are left out.
    pub fn parse(text: &str) -> Table {
        Table(text.lines().filter_map(entry).collect())
    }

    /// What is seen at that place: the last mount there.
    pub fn at(&self, point: &str) -> Option<&Entry> {
        self.0.iter().rev().find(|entry| entry.point == point)
    }

    /// Every mount of a device.
    pub fn of_device(&self, device: Number) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter(move |entry| entry.device == device)
    }

    /// Every mount below that place.
    pub fn below<'a>(&'a self, point: &'a str) -> impl Iterator<Item = &'a Entry> {
        let below = move |entry: &&Entry| entry.point != point && is_within(&entry.point, point);
        self.0.iter().filter(below)
    }
}

impl Entry {
    /// Why nothing can be written to it, by the options of the file system: some kernels remount what has an error,
    /// others say so in a word of its own.
    pub fn unwritable(&self) -> Option<&str> {
        let signs = ["ro", "emergency_ro", "shutdown"];
        self.options
            .split(',')
            .find(|option| signs.contains(option))
    }
}

/// How often a table that keeps changing is read again.
const READS: usize = 8;

/// A path that is that one or below it.
pub fn is_within(path: &str, point: &str) -> bool {
    let rest = path.strip_prefix(point.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue`
fn entry(line: &str) -> Option<Entry> {
    let (own, of_file_system) = line.split_once(" - ")?;
    let mut own = own.split(' ');
    let (id, _parent, device) = (own.next()?, own.next()?, own.next()?);
    let (_root, point) = (own.next()?, own.next()?);
    let (major, minor) = device.split_once(':')?;
    let mut of_file_system = of_file_system.split(' ');
    Some(Entry {
        id: id.parse().ok()?,
        device: Number {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        },
        point: unescape(point),
        kind: of_file_system.next()?.to_owned(),
        source: unescape(of_file_system.next()?),
        options: of_file_system.next().unwrap_or_default().to_owned(),
    })
}

/// Space, tab, newline and backslash stand there as `\040` and the like.
pub fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let code = more.get(..3).and_then(|code| str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 8).ok());
        match (first, code) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &more[3..];
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n\
        36 22 7:1 / /mnt/my\\040data rw,noatime master:1 propagate_from:2 - ext4 /dev/loop1 ro,errors=remount-ro\n\
        37 22 7:1 /sub /srv rw - ext4 /dev/loop1 rw\n\
        38 36 0:40 / /mnt/my\\040data rw - tmpfs none rw\n\
        39 36 0:41 / /mnt/my\\040data/x rw - tmpfs\n\
        half a line - \n";

    #[test]
    fn what_is_mounted_where_and_how() {
        let table = Table::parse(TEXT);
        assert_eq!(table.0.len(), 4, "{table:?}");
        let loop1 = Number { major: 7, minor: 1 };
        let of_loop: Vec<_> = table.of_device(loop1).map(|e| e.point.as_str()).collect();
        assert_eq!(of_loop, ["/mnt/my data", "/srv"]);
        assert_eq!(table.0[1].unwritable(), Some("ro"));
        assert_eq!(table.0[2].unwritable(), None);
        assert_eq!(table.at("/mnt/my data").unwrap().kind, "tmpfs", "it covers");
        assert_eq!(table.below("/mnt").count(), 2);
        assert_eq!(table.below("/srv").count(), 0);
    }

    #[test]
    fn paths_are_compared_by_their_parts() {
        assert!(is_within("/mnt/data/x", "/mnt/data") && is_within("/mnt/data", "/mnt/data"));
        assert!(!is_within("/mnt/database", "/mnt/data") && !is_within("/mnt", "/mnt/data"));
    }

    #[test]
    fn a_kernels_own_table_is_read() {
        let table = Table::read().unwrap();
        assert!(table.at("/").is_some() && table.at("/proc").is_some());
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text: String) {
            Table::parse(&text);
            Table::parse(&format!("1 2 3:4 / {text} - {text}"));
        }
    }
}

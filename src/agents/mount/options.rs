//! Mount options as people write them, and as mount(2) wants them: flags, and the rest for the file system.

use super::Kind;

/// For mount(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `MS_*`.
    pub flags: u64,
    /// What the file system itself is told.
    pub data: String,
}

/// Each word that is a flag, and whether it sets or clears it.
const FLAGS: [(&str, u64, bool); 19] = [
    ("ro", libc::MS_RDONLY, true),
    ("rw", libc::MS_RDONLY, false),
    ("noatime", libc::MS_NOATIME, true),
    ("atime", libc::MS_NOATIME, false),
    ("relatime", libc::MS_RELATIME, true),
    ("norelatime", libc::MS_RELATIME, false),
    ("strictatime", libc::MS_STRICTATIME, true),
    ("lazytime", libc::MS_LAZYTIME, true),
    ("nodiratime", libc::MS_NODIRATIME, true),
    ("diratime", libc::MS_NODIRATIME, false),
    ("nodev", libc::MS_NODEV, true),
    ("dev", libc::MS_NODEV, false),
    ("nosuid", libc::MS_NOSUID, true),
    ("suid", libc::MS_NOSUID, false),
    ("noexec", libc::MS_NOEXEC, true),
    ("exec", libc::MS_NOEXEC, false),
    ("sync", libc::MS_SYNCHRONOUS, true),
    ("async", libc::MS_SYNCHRONOUS, false),
    ("dirsync", libc::MS_DIRSYNC, true),
];

/// What a file system is told; an ext4 with an error stops being written to, unless that is said otherwise.
pub fn options(kind: Kind, text: &str) -> Options {
    let mut flags = 0;
    let mut data = Vec::new();
    for word in text.split(',').filter(|word| !word.is_empty()) {
        match FLAGS.iter().find(|(name, ..)| *name == word) {
            Some((_, flag, true)) => flags |= flag,
            Some((_, flag, false)) => flags &= !flag,
            None if word == "defaults" => {}
            None => data.push(word),
        }
    }
    if kind == Kind::Ext4 && !data.iter().any(|word| word.starts_with("errors=")) {
        data.push("errors=remount-ro");
    }
    Options {
        flags,
        data: data.join(","),
    }
}

/// What is wrong with one of these words, and what to do.
pub fn wrong(text: &str) -> Option<(String, &'static str)> {
    text.split(',').find_map(|word| {
        let of_others = [
            "bind",
            "rbind",
            "move",
            "remount",
            "loop",
            "user",
            "users",
            "owner",
            "group",
            "nofail",
            "auto",
            "noauto",
            "_netdev",
            "private",
            "shared",
            "slave",
            "unbindable",
        ];
        let help = match word {
            "" => "write words with one comma between them",
            "errors=continue" => {
                "write errors=remount-ro: what goes on with an error damages the data further"
            }
            "nobarrier" | "barrier=0" => {
                "leave it out: what was acknowledged would be lost with the power"
            }
            _ if of_others.contains(&word)
                || word.starts_with("loop=")
                || word.starts_with("x-") =>
            {
                "leave it out: it is for mount(8) and fstab, and nobody reads it here"
            }
            _ => return None,
        };
        Some((format!("`{word}` cannot be here"), help))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_flags_or_the_file_systems_own() {
        let of = |kind, text| {
            let Options { flags, data } = options(kind, text);
            (flags, data)
        };
        let own = "errors=remount-ro";
        assert_eq!(of(Kind::Ext4, ""), (0, own.into()));
        assert_eq!(of(Kind::Xfs, "defaults"), (0, String::new()));
        let both = libc::MS_NOATIME | libc::MS_NODEV;
        assert_eq!(
            of(Kind::Xfs, "noatime,logbufs=8,ro,rw,nodev"),
            (both, "logbufs=8".into())
        );
        assert_eq!(of(Kind::Ext4, "errors=panic").1, "errors=panic");
    }

    #[test]
    fn words_that_would_mislead_are_refused() {
        for text in [
            "bind",
            "noatime,,ro",
            "x-systemd.automount",
            "errors=continue",
            "noauto",
        ] {
            assert!(wrong(text).is_some(), "{text}");
        }
        assert_eq!(wrong("noatime,data=ordered,errors=remount-ro"), None);
    }
}

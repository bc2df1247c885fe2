//! Whether a program could be run at all, found out before it matters.

use crate::agents::program::User;
use crate::sys;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why this program cannot be run, in words that follow its path; none: nothing speaks against it. Looks at
/// the file, and at the interpreter that a script names; runs nothing.
pub fn fault(program: &Path) -> Option<String> {
    if let Some(why) = unusable(program) {
        return Some(why);
    }
    let mut head = Vec::new();
    let read = File::open(program).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    match read {
        // A program need not be readable to be run.
        Err(_) => None,
        Ok(0) => Some("is empty".into()),
        Ok(_) => match head.strip_prefix(b"#!") {
            Some(line) => script(line),
            None if is_text(&head) => Some(
                "is a text that does not begin with #! and its interpreter, such as #!/bin/sh"
                    .into(),
            ),
            None => None,
        },
    }
}

/// Why that user cannot run this program, though root can; none: nothing speaks against it. Goes by owner, group and
/// mode: where there is a list of rights beside them (ACL) it says nothing.
pub fn closed(program: &Path, user: &User) -> Option<String> {
    let program = std::fs::canonicalize(program).ok()?;
    let refused = program.ancestors().find_map(|part| {
        let facts = std::fs::metadata(part).ok()?;
        let shift = match () {
            () if facts.uid() == user.uid => 6,
            () if user.groups.contains(&facts.gid()) => 3,
            () => 0,
        };
        let open = user.uid == 0 || facts.mode() >> shift & 1 == 1 || sys::has_acl(part);
        (!open).then(|| {
            (
                part.display().to_string(),
                facts.uid(),
                facts.mode() & 0o7777,
            )
        })
    });
    let (part, owner, mode) = refused?;
    Some(format!(
        "{part} is closed to it (of user {owner}, mode {mode:04o})"
    ))
}

/// Who else than root could change this program, in words that follow its path; none: nobody, or it is not there.
pub fn risk(program: &Path) -> Option<String> {
    let facts = std::fs::metadata(program).ok()?;
    let (owner, mode) = (facts.uid(), facts.mode() & 0o7777);
    if owner != 0 {
        return Some(format!("belongs to user {owner}"));
    }
    (mode & 0o022 != 0).then(|| format!("can be written by others (mode {mode:04o})"))
}

/// What the kernel reads of a script, see execve(2).
const HEAD: u64 = 256;

fn unusable(program: &Path) -> Option<String> {
    let facts = match std::fs::metadata(program) {
        Ok(facts) => facts,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Some("does not exist".into()),
        Err(e) => return Some(format!("cannot be looked at: {e}")),
    };
    if facts.is_dir() {
        return Some("is a directory".into());
    }
    if !facts.is_file() {
        return Some("is no regular file".into());
    }
    // For root any of the three is enough.
    if facts.mode() & 0o111 == 0 {
        return Some("is not executable (chmod 755)".into());
    }
    let refused = sys::may_execute(program).err()?;
    let why = match refused.kind() {
        io::ErrorKind::PermissionDenied => {
            "on a file system mounted noexec, or in a directory closed to it".into()
        }
        _ => refused.to_string(),
    };
    Some(format!("cannot be executed: {why}"))
}

/// What is wrong with a script's interpreter, by what follows `#!`; and with the one that env(1) is to find.
fn script(line: &[u8]) -> Option<String> {
    let line = line.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    if line.ends_with('\r') {
        // It would be a part of the name.
        return Some(
            "is a script with the line ends of another system: `sed -i 's/\\r$//'` on it".into(),
        );
    }
    let mut words = line.split_whitespace();
    let interpreter = words.next()?;
    if let Some(why) = unusable(Path::new(interpreter)) {
        return Some(format!("is a script for {interpreter}, which {why}"));
    }
    let sought = words
        .next()
        .filter(|word| !word.contains(['-', '=', '/']))?;
    let env = interpreter.ends_with("/env");
    (env && !is_found(sought)).then(|| {
        format!("is a script for {sought}, which is in no directory where programs are looked for")
    })
}

/// As env(1) looks for it from a unit of systemd, or by this process's own way.
fn is_found(program: &str) -> bool {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let usual = [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ];
    let usual = usual.map(PathBuf::from).into_iter();
    std::env::split_paths(&own)
        .chain(usual)
        .any(|dir| dir.join(program).exists())
}

/// Other formats than the kernel's own may be known to it (binfmt_misc); a plain text is none of them.
fn is_text(head: &[u8]) -> bool {
    head.iter()
        .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_cannot_be_run_is_told_apart() {
        let dir = TestDir::new();
        let path = dir.join("program");
        let told = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            fault(&path)
        };
        assert_eq!(told("#!/bin/sh\nexit 0\n", 0o755), None);
        assert_eq!(told("#! /bin/sh -e\n", 0o700), None);
        assert_eq!(
            told("#!/bin/sh\n", 0o644).unwrap(),
            "is not executable (chmod 755)"
        );
        assert_eq!(told("", 0o755).unwrap(), "is empty");
        assert_eq!(
            told("#!/usr/bin/python9\nprint()\n", 0o755).unwrap(),
            "is a script for /usr/bin/python9, which does not exist"
        );
        assert_eq!(told("#!/usr/bin/env sh\n", 0o755), None);
        assert_eq!(told("#!/usr/bin/env -S sh -e\n", 0o755), None);
        assert_eq!(
            told("#!/usr/bin/env python9\n", 0o755).unwrap(),
            "is a script for python9, which is in no directory where programs are looked for"
        );
        assert_eq!(
            told("#!/bin/sh\r\nexit 0\r\n", 0o755).unwrap(),
            "is a script with the line ends of another system: `sed -i 's/\\r$//'` on it"
        );
        assert_eq!(
            told("exit 0\n", 0o755).unwrap(),
            "is a text that does not begin with #! and its interpreter, such as #!/bin/sh"
        );
        if sys::effective_user() == 0 {
            assert_eq!(risk(&path), None);
            told("#!/bin/sh\n", 0o775);
            assert_eq!(risk(&path).unwrap(), "can be written by others (mode 0775)");
            std::os::unix::fs::chown(&path, Some(4711), None).unwrap();
            assert_eq!(risk(&path).unwrap(), "belongs to user 4711");
        }
        let who = |uid| User {
            uid,
            gid: uid,
            groups: vec![uid],
        };
        let closed_to = |mode: u32, uid| {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            closed(&path, &who(uid))
        };
        let owner = std::fs::metadata(&path).unwrap().uid();
        assert_eq!(closed_to(0o755, 4712), None);
        assert_eq!((closed_to(0o700, owner), closed_to(0o600, 0)), (None, None));
        let why = closed_to(0o750, 4712).unwrap();
        assert!(why.contains("/program is closed to it (of user "), "{why}");
        assert!(why.ends_with("mode 0750)"), "{why}");
        closed_to(0o755, 0);
        std::fs::set_permissions(&*dir, PermissionsExt::from_mode(0o700)).unwrap();
        let why = closed(&path, &who(4712)).unwrap();
        assert!(why.ends_with("mode 0700)"), "{why}");
        assert_eq!(risk(&dir.join("absent")), None);
        assert_eq!(fault(&dir).unwrap(), "is a directory");
        assert_eq!(fault(&dir.join("absent")).unwrap(), "does not exist");
        assert_eq!(fault(Path::new("/bin/sh")), None);
        assert_eq!(fault(Path::new("/dev/null")).unwrap(), "is no regular file");
    }
}

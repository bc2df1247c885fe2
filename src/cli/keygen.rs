//! `keygen`: a key that both nodes share.

use super::exit::Exit;
use super::out::{fail, print};
use crate::config;
use crate::shell::options::Options;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Prints a new key line, or writes it where ha.toml wants it.
pub(super) fn run(options: &Options, write: bool) -> Exit {
    let line = match random() {
        Ok(random) => config::generate_key_line(random) + "\n",
        Err(e) => {
            return fail(
                Exit::Refused,
                format!("no random numbers from the kernel: {e}"),
            );
        }
    };
    if !write {
        return print(&line);
    }
    let path = match key_file(&options.config) {
        Ok(path) => path,
        Err(why) => return fail(Exit::Config, why),
    };
    match write_new(&path, &line) {
        Ok(()) => print(&format!(
            "{} written; copy it to the other node (mode 0600), for example with scp -p\n",
            path.display()
        )),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => fail(
            Exit::Refused,
            format!(
                "{} exists and is left as it is; to change keys without a gap, append a line of `ha-appliance keygen` to it on both nodes and reload, then move that line to the top on both and reload, then remove the old one",
                path.display()
            ),
        ),
        Err(e) => fail(
            Exit::Refused,
            format!(
                "cannot write {}: {e}; run this as root, or make its directory",
                path.display()
            ),
        ),
    }
}

/// Where ha.toml wants the key. The file cannot be checked as a whole yet: it has no key.
fn key_file(path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("cannot read {shown}: {e}; name it with --config"))?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| format!("{shown}: {e}"))?;
    let key_file = table
        .get("cluster")
        .and_then(|c| c.get("key_file"))
        .and_then(|k| k.as_str());
    let key_file = key_file.map(|file| config::beside(path, file));
    key_file.ok_or_else(|| {
        format!("{shown} has no key_file in [cluster]; add key_file = \"/etc/ha-appliance/key\"")
    })
}

fn write_new(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

//! ha.toml: parsed, checked, and explained where it is wrong.
//!
//! Three questions, in this order, each with its own answer:
//!
//! 1. *Is the file right?* [`load`] gives a [`Config`] in which every value is usable, or an
//!    [`Error`] that tells every mistake with its place and its remedy. Nothing of the machine is
//!    asked but the key file.
//! 2. *Does it fit this machine now?* [`resolve`] finds links, interfaces and gateways in a look at
//!    the host. Interfaces come and go, so what does not fit is a [`Warning`], and the daemon waits.
//! 3. *What does it imply?* [`explain`] says what the node understood and how long each kind of
//!    failure takes at worst, term by term.
#![forbid(unsafe_code)]

mod address;
mod build;
mod cluster;
mod drbd;
mod duration;
mod error;
mod explain;
mod fencing;
mod fit;
mod gateway;
mod groups;
mod heartbeat;
pub mod key;
pub mod keys;
mod known;
mod lack;
mod mount;
mod nearest;
mod nodes;
mod places;
mod read;
mod resolve;
mod rhythm;
mod schema;
mod service;
mod settings;
mod user;
mod vifs;
mod vip;
mod warning;

pub use cluster::beside;
pub use drbd::Drbd;
pub use error::{EX_CONFIG, Error, Mistake, Place};
pub use explain::explain;
pub use fencing::{After, Agent, Device, Fencing, MAX_LEVELS, OFF_LEAVES, OFF_LEAVES_BY_AGENT};
pub use fit::{CHOOSE, Kind, Machine, Misfit, UnitLook, Unsound, misfits, whose};
pub use key::generate_key_line;
pub use known::Known;
pub use lack::{Family, Lack};
pub use mount::Mount;
pub use places::Places;
pub use resolve::{Link, Resolved, Vif, resolve, resolve_again};
pub use schema::{
    Cluster, Config, Failback, Gateway, Group, HeartbeatTimes, MAX_LINKS, NodeConfig, Require,
    Resource, VIP_LIFETIME, Vip,
};
pub use service::{Check, Mode, Probe, Service};
pub use settings::{Digests, Settings, differences, lacking, lacks_group};
pub use warning::Warning;

use crate::agents::trouble;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Reads and checks a file, and the key file it names.
pub fn load(path: &Path) -> Result<Config, Error> {
    let shown = path.display();
    own(path)?;
    let text = std::fs::read_to_string(path).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => "write it first: `man ha.toml`, and config/ beside README.md, have examples; --config PATH names another",
            std::io::ErrorKind::PermissionDenied => "run as root",
            std::io::ErrorKind::InvalidData => "save it as UTF-8",
            _ => "--config PATH names another",
        };
        Error {
            passing: trouble::lacks_resources(&error),
            ..Error::unplaced(format!("{shown} cannot be read: {error}"), help)
        }
    })?;
    build::build(&text, path, &key::read_file, &|| {
        let facts = std::fs::metadata(path).map_err(|error| {
            let what = format!("{shown} cannot be examined: {error}");
            (what, "run as root".to_owned())
        })?;
        key::private(path, "file with a `key`", facts.mode(), facts.uid())
    })
}

/// Refuses a file that others can change: its programs run as root.
fn own(path: &Path) -> Result<(), Error> {
    let Ok(facts) = std::fs::metadata(path) else {
        return Ok(()); // reading it says it better
    };
    let (shown, owner, mode) = (path.display(), facts.uid(), facts.mode() & 0o7777);
    if owner != 0 && owner != crate::sys::effective_user() {
        let what =
            format!("{shown} belongs to user {owner}, who could have programs run as root by it");
        return Err(Error::unplaced(what, format!("chown root {shown}")));
    }
    if mode & 0o022 != 0 {
        let what = format!(
            "others can change {shown} (mode {mode:04o}), and so have programs run as root"
        );
        return Err(Error::unplaced(what, format!("chmod go-w {shown}")));
    }
    Ok(())
}

/// Checks a text as if it stood in the file `path`, and reads the key file it names.
pub fn parse(text: &str, path: &Path) -> Result<Config, Error> {
    build::build(text, path, &key::read_file, &|| Ok(()))
}

/// Checks a text without touching the file system: whatever key file it names holds `key_file`, and every password
/// is "secret".
pub fn parse_with_key_file(text: &str, path: &Path, key_file: &str) -> Result<Config, Error> {
    let read = |_: &Path, secret| {
        let text = match secret {
            key::Secret::Key => key_file,
            key::Secret::Password => "secret\n",
        };
        Ok(text.to_owned())
    };
    build::build(text, path, &read, &|| Ok(()))
}

//! Where in ha.toml stands what a machine may turn out not to bear.

use super::error::Place;
use crate::wire::heartbeat::Side;
use std::net::IpAddr;

/// A value that is checked against the machine as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A VIP.
    Vip(IpAddr),
    /// A unit, by its full name.
    Unit(String),
    /// A mount, by its directory.
    Mount(String),
    /// A DRBD resource, by its name.
    Drbd(String),
    /// A program, by its path; the first place that names it.
    Program(String),
    /// Whom a program runs as; the first place that names it.
    User(String),
    /// A gateway that the file names.
    Gateway(IpAddr),
    /// A node's link, by its place in `links`.
    Link(Side, usize),
    /// A device that switches this node off, by its level.
    Fence(Side, usize),
}

/// Each such value's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<(Subject, Place)>);

impl Places {
    /// Notes one.
    pub(super) fn add(&mut self, subject: Subject, place: Place) {
        self.0.push((subject, place));
    }

    /// The first of this value.
    pub(super) fn of(&self, subject: &Subject) -> Option<Place> {
        let (_, place) = self.0.iter().find(|(known, _)| known == subject)?;
        Some(place.clone())
    }
}

//! The scenarios, grouped by what goes wrong.

mod agents;
mod apache;
mod clock;
mod fenced;
mod fencing;
mod gateway;
mod hang;
mod haproxy;
mod hostile;
mod input;
mod itself;
mod kernel;
mod links;
mod machines;
mod mounts;
mod nginx;
mod operator;
mod power;
mod quick_start;
mod scarce;
mod services;
mod start;
mod state;
mod storage;
mod tools;
mod truth;
mod upkeep;
mod vip;
mod vms;

use crate::scenario::Scenario;

/// Every group of scenarios, in the order in which they run.
pub const ALL: &[&[Scenario]] = &[
    itself::ALL,
    power::ALL,
    operator::ALL,
    links::ALL,
    gateway::ALL,
    fenced::ALL,
    start::ALL,
    hang::ALL,
    vip::ALL,
    kernel::ALL,
    hostile::ALL,
    state::ALL,
    agents::ALL,
    machines::ALL,
    nginx::ALL,
    apache::ALL,
    haproxy::ALL,
    services::ALL,
    mounts::ALL,
    tools::ALL,
    input::ALL,
    upkeep::ALL,
    truth::ALL,
    quick_start::ALL,
    vms::ALL,
    fencing::ALL,
    storage::ALL,
];

//! The deciding core: `step(now, event) -> actions`. No clock, socket, process or randomness in it.
//!
//! What it promises, and what that rests on. Each promise is a property that an exhaustive search
//! (`tests/search/check.rs`, by that name) judges in every state within its bounds, and a simulation of the
//! whole pair judges all the time.
//!
//! `protocol` is what rests on proof: tokens, rights, clearance, the order of starts and stops. `policy` wishes, per
//! group, and cannot break it: a search lets an adversary wish in its place. A `node` routes.
//!
//! | promise | property | rests on |
//! | --- | --- | --- |
//! | what is exclusive runs on one node | `NeverBoth` | clearance tells the truth: fencing by what it verified, best effort but for the cases that `Excused` names, each with its bound; a stop that says done is done; the kernel ends a lease in time |
//! | nothing starts without the token and agreement or clearance | `StartedByRight`, `ContestedNeverAgrees`, `ProvenStopped` | only the two nodes know the key |
//! | no lease is renewed by whom it was taken from | `RenewedByRight` | the clock is read in every step, and runs on through a pause (CLOCK_BOOTTIME) |
//! | a token is on disk before it is used, moves only upwards, and is never lost | `Persisted`, `EpochsGrow`, `GrantKept`, `OneHolder`, `OwnParity` | a disk that keeps what it fsynced; one that does not makes the node ask its peer, and can cost the newest move, not `NeverBoth` |
//! | handed over is only what is stopped | `StoppedBeforeGrant`, `FailedStopNeverGrants` | nothing about time |
//! | a holder that is cut off stops before its peer takes over | `NeverBoth` in best effort | the two clocks advance alike to within a quarter of an interval in a detection time (5 % for five misses) |
//! | maintenance and hard facts keep their word | `HandsOff`, `Barred` | |
//! | nothing is stopped without a cause, and a goodbye says the truth | `StopsForCause`, `GoodbyeStopped` | |
//! | nobody is switched off who is heard to serve | `ServerNotShot` | |
//! | no two machines switch each other off, and no cut costs more than one | `NeverMutual`, `NoChain`, `UnheardNotShot` | an off is carried out within `off_time` or never; who was shot is switched on once it was verified off, or by a human |
//! | nothing is agreed with a machine that may be dying | `DyingNeverAgreed` | the same |
//! | beside a peer that is refused nothing is begun, moved or shot | `RefusedIdle` | |
//! | a reload changes nothing that it does not name | `ReloadKeeps` | a definition's hash differs where the definition does |
//! | a daemon that has nothing to do sleeps | `Rests` | |
//! | what runs by a third party's promise ends with it | `NeverBoth` with leases | it promises nobody else for as long as a stop and the kernel's lifetime take beyond that |
//! | when faults end, one eligible node runs the group, without a human, within 60 intervals | `OneActive` | no stop failed |
//! | when one node stays dead, the other runs it | `TakesOver` | fencing works; in best effort a probe was answered once, and the peer's last word was neither maintenance nor a failed stop |
//! | while a fault lasts, a group moves three times and then ever more rarely | `MovesBounded` | |
#![forbid(unsafe_code)]

pub mod canonical;
mod context;
pub mod event;
pub mod gateway;
pub mod node;
pub mod policy;
pub mod protocol;
pub mod reason;
pub mod setup;
pub mod time;
pub mod view;
pub mod vif;

pub use event::{Action, Event};
pub use node::Node;
pub use protocol::{peer, record};

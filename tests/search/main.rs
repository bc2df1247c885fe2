//! An exhaustive search: two real nodes (`core::Node::step`, the code that ships), one or two groups (a
//! resource that holds data; an address, which moves without a gap; an address and a service), and an
//! adversary that may do anything within stated bounds, in any order. Every state within the bounds
//! is visited, every property (`check`) is judged in each.
//!
//! **World.** Two machines (`world`): a daemon or none, a disk with a write under way, resources that
//! may run, an operation under way for each, a kernel that ends an address which is not renewed (and brings
//! back one that is). Between them heartbeats under way. Where nothing else
//! clears, an operator, truthful: says that the peer is off at a moment at which it is, having switched it off if need be. In
//! best effort instead the clients' networks (`lan`): a gateway that answers, addresses that the machines' kernels answer
//! for, and the heartbeats' path of last resort. Or a third party that promises for a while (`lease`). Where data is DRBD's,
//! both copies of it, the kernels' and the daemons' view of them (`data`).
//!
//! **Adversary** (`moves`). Heartbeats arrive in any order relative to everything else. The interlink
//! changes to any pattern of cut directions; what was under way then arrives at any time later or
//! never. (In a *lossy* search any heartbeat may be lost or late at any time.) Ports of the clients' network
//! die, the gateway does, the network splits. A daemon dies, or its machine loses power, between any two
//! actions of a step; a write under way then reached the disk or did not. It returns with its state,
//! with an older one, or wiped. Writes, starts, stops and looks take any time, fail, fail after having
//! reached the disk. Services die, addresses are deleted. Operators order. Daemons pause for any time; what
//! reaches their machine meanwhile waits there. A clock gets ahead of the other.
//!
//! **Time** keeps its meaning: it passes in steps of one heartbeat interval, or of a quarter where evidence
//! is judged so finely, and only when every deadline that has come was served (or the daemon pauses).
//! Heartbeats between two such points are in any order.
//!
//! **Recovery.** From states all over the search the faults end (`heal`): the pair must come to one active
//! node for each group, or, if one machine stays off, the other must run what it safely can. Or one fault
//! lasts (`endure`): then groups must not wander.
//!
//! **Ending.** A search *closes* when no new state is left; one that meets its cap fails. Histories with the same
//! future are one state (`canonical`); that this loses nothing is tested beside it (`honest`). A violation is
//! printed as a scenario file that can be kept and played again (`keep`).
//!
//! **Why not stateright**: its model wants a state that is cloned, hashed and compared as it is, and
//! one function for the next state. Here a step's outcomes share the step, minds share memory, the
//! fingerprint is kept instead of the state, and recovery is tried from states as they are found;
//! that is most of the code, and none of it would be saved.
//!
//! `scripts/search` runs it, `scripts/search long` goes deeper; plain `cargo test` runs only the smallest.

mod around;
mod bites;
mod boot;
mod bounds;
mod canonical;
mod check;
mod data;
mod defect;
mod device;
mod endure;
mod explore;
mod heal;
mod honest;
mod keep;
mod lan;
mod lease;
mod machine;
mod moves;
mod print;
mod searches;
mod setup;
mod step;
mod trace;
mod world;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

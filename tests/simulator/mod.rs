//! The simulator: one file per subject, from the clock up to the runs.

pub mod agents;
pub mod availability;
pub mod chaos;
pub mod clock;
pub mod cut;
pub mod defect;
pub mod device;
pub mod machine;
pub mod net;
pub mod reload;
pub mod rng;
pub mod run;
pub mod safety;
pub mod setups;
pub mod spell;
pub mod story;
pub mod world;

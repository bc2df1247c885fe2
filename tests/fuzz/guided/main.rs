//! One target of tests/fuzz, the one that `TARGET` names, fed by libFuzzer; `scripts/fuzz` runs it.
#![no_main]

#[path = "../targets/mod.rs"]
mod targets;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TARGET: LazyLock<targets::Target> = LazyLock::new(|| {
    let name = std::env::var("TARGET").unwrap_or_default();
    let known = targets::ALL.iter().find(|(known, _)| *known == name);
    known.expect("TARGET names no target").1
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));

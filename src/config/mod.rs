//! ha.toml: parsed, checked, and explained where it is wrong.

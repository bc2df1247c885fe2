//! The thin shell around the core: clock, sockets, signals, files, and the loop that feeds the core.

//! Deliberate lies of the world, each of which the checker must find: proof that it bites.

/// A promise of the world that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The kernel never ends a VIP that is not renewed.
    ImmortalVip,
    /// A stop says "done" and left the VIP where it was.
    LyingStop,
    /// The kernel never ends a VIP that was handed over, and the daemon dies before it has removed it.
    LyingCede,
    /// A renewal that a pause interrupted reaches the kernel afterwards, and puts back what it has ended.
    LatePutBack,
    /// The kernel does not answer ARP for the VIPs it has.
    DeafArp,
    /// A write says "done" and the disk has the old state.
    LyingDisk,
    /// Every delivered heartbeat says that all that was wished was taken back.
    UndoneWishes,
    /// A device says that it switches off, and reads off, and did nothing.
    LyingDevice,
    /// The file's delay is shorter than what it has to keep apart.
    ShortDelay,
    /// A gateway that a machine does not reach answers it.
    GhostGateway,
    /// Delivered heartbeats echo nothing: nobody is ever alive to anybody.
    NoEcho,
    /// A daemon is woken, and never told that everything was read.
    NeverDrained,
}

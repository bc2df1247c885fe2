//! placeholder
/// What one gateway did lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatewayState {
    /// Asked, no answer yet, and not given up either.
    Pending,
    /// Answers.
    Good,
    /// Answers again, but not for long enough.
    Dampened,
    /// Does not answer.
    Lost,
}

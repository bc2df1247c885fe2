//! The token's arithmetic: who mints which epochs, and which of two tokens wins.

use crate::wire::heartbeat::{MAX_EPOCH, Side, Token};

/// The next epoch that `me` may mint: of its own parity (first node even, second odd) and above all
/// it has seen, so that equal epochs mean the same token. At the end of all epochs it is the last of its
/// parity again and again: no epoch near it is ever taken from a datagram or a disk.
pub fn mint(me: Side, highest: u64) -> u64 {
    debug_assert!(highest <= MAX_EPOCH - 2, "{highest}");
    let own_parity = match me {
        Side::First => 0,
        Side::Second => 1,
    };
    let next = highest.saturating_add(1).min(MAX_EPOCH - 1);
    if next % 2 == own_parity {
        next
    } else {
        next + 1
    }
}

/// Whether the peer's token wins over `mine`. The higher epoch does. Equal epochs with different
/// holders come only from lost state or drifted files; then the first node's view wins, whichever
/// node this is.
pub fn outranks(theirs: Token, mine: Token, me: Side) -> bool {
    theirs.epoch > mine.epoch
        || (theirs.epoch == mine.epoch && theirs.holder != mine.holder && me == Side::Second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_mints_its_own_parity_above_all_seen() {
        let minted = [0, 1, 2, 7].map(|seen| (mint(Side::First, seen), mint(Side::Second, seen)));
        assert_eq!(minted, [(2, 1), (2, 3), (4, 3), (8, 9)]);
    }

    #[test]
    fn the_last_epochs_are_minted_as_well() {
        assert_eq!(mint(Side::First, MAX_EPOCH - 2), MAX_EPOCH - 1);
        assert_eq!(mint(Side::Second, MAX_EPOCH - 2), MAX_EPOCH);
    }

    #[test]
    #[cfg(not(debug_assertions))]
    fn at_the_end_of_all_epochs_nothing_wraps() {
        for seen in [MAX_EPOCH - 1, MAX_EPOCH, u64::MAX] {
            assert_eq!(mint(Side::First, seen), MAX_EPOCH - 1);
            assert_eq!(mint(Side::Second, seen), MAX_EPOCH);
        }
    }

    #[test]
    fn where_the_files_drifted_the_first_nodes_view_wins() {
        let [first, second] = [Side::First, Side::Second].map(|holder| Token { epoch: 0, holder });
        for (first_nodes, second_nodes) in [(first, second), (second, first)] {
            assert!(!outranks(second_nodes, first_nodes, Side::First));
            assert!(outranks(first_nodes, second_nodes, Side::Second));
        }
    }

    #[test]
    fn of_two_tokens_exactly_one_node_yields() {
        let token = |epoch, holder| Token { epoch, holder };
        let all = [0, 1, 2].map(|e| [token(e, Side::First), token(e, Side::Second)]);
        for a in all.as_flattened() {
            for b in all.as_flattened() {
                let first_yields = outranks(*b, *a, Side::First);
                let second_yields = outranks(*a, *b, Side::Second);
                assert_eq!(
                    first_yields as u8 + second_yields as u8,
                    (a != b) as u8,
                    "{a:?} {b:?}"
                );
            }
        }
    }
}

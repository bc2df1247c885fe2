//! Whether the other node is there by every link just now: DRBD's connection goes by one of them most often, and DRBD
//! itself takes ten seconds and more to notice that a cable is cut.

use smol::Timer;
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// The links.
#[derive(Default)]
pub(super) struct Links {
    /// When the other node was heard last, by each.
    heard: RefCell<Vec<Option<Instant>>>,
}

const POLL: Duration = Duration::from_millis(20);

impl Links {
    /// There are so many.
    pub(super) fn count(&self, links: usize) {
        self.heard.borrow_mut().resize(links, None);
    }

    /// Something came by that one.
    pub(super) fn heard(&self, link: usize) {
        if let Some(heard) = self.heard.borrow_mut().get_mut(link) {
            *heard = Some(Instant::now());
        }
    }

    /// Each brings something that comes after this question, within that time.
    pub(super) async fn are_heard(&self, within: Duration) -> bool {
        let asked = Instant::now();
        loop {
            let since = |heard: &Option<Instant>| heard.is_some_and(|heard| heard > asked);
            if self.heard.borrow().iter().all(since) {
                return true;
            }
            if asked.elapsed() >= within {
                return false;
            }
            Timer::after(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_before_says_nothing() {
        let links = Links::default();
        links.count(2);
        let brief = Duration::from_millis(100);
        for link in [0, 1, 7] {
            links.heard(link);
        }
        assert!(!smol::block_on(links.are_heard(brief)));
        let comes = |count: usize| {
            let links = &links;
            async move {
                Timer::after(POLL).await;
                (0..count).for_each(|link| links.heard(link));
            }
        };
        let heard = |count| {
            let both = smol::future::zip(links.are_heard(brief), comes(count));
            smol::block_on(both).0
        };
        assert!(!heard(1), "one of two");
        assert!(heard(2));
    }
}

//! Keeps `systemctl daemon-reload` and operations apart: it can take systemd a second, and a move would
//! have to wait for it.

use smol::channel::{Receiver, Sender, bounded};
use smol::lock::{RwLock, RwLockReadGuardArc, RwLockWriteGuardArc};
use std::sync::Arc;

/// Operations pass it, many at a time; while it is closed they wait. Closing waits for those that
/// passed, but holds up none: a stop is never kept waiting by a reload that waits for a slow start.
pub(super) struct Gate {
    lock: Arc<RwLock<()>>,
    left: (Sender<()>, Receiver<()>),
}

/// An operation in flight.
pub(super) struct Pass {
    guard: Option<RwLockReadGuardArc<()>>,
    left: Sender<()>,
}

/// The gate is closed until this is dropped.
pub(super) type Closed = RwLockWriteGuardArc<()>;

impl Default for Gate {
    fn default() -> Gate {
        Gate {
            lock: Arc::default(),
            left: bounded(1),
        }
    }
}

impl Gate {
    /// Waits until it is open.
    pub(super) async fn pass(&self) -> Pass {
        Pass {
            guard: Some(self.lock.read_arc().await),
            left: self.left.0.clone(),
        }
    }

    /// None: an operation is in flight.
    pub(super) fn try_close(&self) -> Option<Closed> {
        self.lock.try_write_arc()
    }

    /// Waits for a moment in which nothing is in flight.
    pub(super) async fn close(&self) -> Closed {
        loop {
            if let Some(closed) = self.try_close() {
                return closed;
            }
            let _ = self.left.1.recv().await;
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.guard = None;
        let _ = self.left.try_send(()); // full: somebody left already
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::LocalExecutor;

    #[test]
    fn closing_waits_for_the_last_and_holds_up_none() {
        let gate = Gate::default();
        let executor = LocalExecutor::new();
        smol::block_on(executor.run(async {
            let first = gate.pass().await;
            assert!(gate.try_close().is_none());
            let closing = executor.spawn(async { gate.close().await });
            smol::future::yield_now().await;
            let second = gate.pass().await;
            drop(first);
            smol::future::yield_now().await;
            assert!(!closing.is_finished());
            drop(second);
            let closed = closing.await;
            let waiting = executor.spawn(async { gate.pass().await });
            smol::future::yield_now().await;
            assert!(!waiting.is_finished());
            drop(closed);
            drop(waiting.await);
            assert!(gate.try_close().is_some());
        }));
    }
}

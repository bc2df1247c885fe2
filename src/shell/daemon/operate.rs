//! What the core asks to be done to resources: to VIPs by netlink at once, to services by `systemctl` in
//! a task of its own.

use super::*;

impl Daemon {
    pub(super) fn look(&mut self, op: OpId, place: Place) {
        if self.vips.has(place) {
            let outcome = self.vips.look(place, &self.network.vifs);
            self.done(op, outcome);
        } else {
            self.services.look(place, op);
        }
    }

    pub(super) fn start(&mut self, op: OpId, place: Place) {
        if self.vips.has(place) {
            let (forever, now) = (self.node.view().maintenance, clock::now());
            let outcome = self.vips.start(place, &self.network.vifs, forever, now);
            self.done(op, outcome);
        } else {
            self.services.start(place, op);
        }
    }

    pub(super) fn stop(&mut self, op: OpId, place: Place) {
        if self.vips.has(place) {
            let outcome = self.vips.stop(place);
            self.done(op, outcome);
        } else {
            self.services.stop(place, op);
        }
    }
}

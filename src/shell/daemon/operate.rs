//! What the core asks to be done to resources: to VIPs by netlink at once, to services by `systemctl` in
//! a task of its own.

use super::*;

impl Daemon {
    pub(super) fn look(&mut self, place: Place) {
        if self.vips.has(place) {
            let outcome = self.vips.look(place, &self.network.vifs);
            self.done(Op::Resource(place), outcome);
        } else {
            self.services.look(place);
        }
    }

    pub(super) fn start(&mut self, place: Place) {
        if self.vips.has(place) {
            let (forever, now) = (self.node.view().maintenance, clock::now());
            let outcome = self.vips.start(place, &self.network.vifs, forever, now);
            self.done(Op::Resource(place), outcome);
        } else {
            self.services.start(place);
        }
    }

    pub(super) fn stop(&mut self, place: Place) {
        if self.vips.has(place) {
            let outcome = self.vips.stop(place);
            self.done(Op::Resource(place), outcome);
        } else {
            self.services.stop(place);
        }
    }
}

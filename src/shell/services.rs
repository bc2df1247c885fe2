//! STUB replaced by merge.
use super::vips::Place;
use crate::config::Service;
use crate::core::event::OpId;
#[derive(Debug, Default)]
pub struct Services;
#[allow(missing_docs)]
impl Services {
    pub fn replace(&mut self, _s: Vec<(usize, usize, Service)>) {}
    pub fn look(&mut self, _p: Place, _op: OpId) {}
    pub fn start(&mut self, _p: Place, _op: OpId) {}
    pub fn stop(&mut self, _p: Place, _op: OpId, _leaving: bool) {}
    pub fn cancel(&mut self, _op: OpId) {}
}

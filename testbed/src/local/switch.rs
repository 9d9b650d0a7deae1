//! A hub in this process that can be switched off and on again, as if its machine were.

use std::cell::RefCell;
use std::rc::Rc;

use dske::node::hub::HubHandle;
use dske::node::transport::{Transport, Unreachable};
use dske::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::{Request, Response};
use dske::psrd::Block;
use futures_util::future::{FutureExt, LocalBoxFuture};

/// A way to a hub in this process. Clones share the switch, which is off at first.
#[derive(Clone, Default)]
pub struct Switch(Rc<RefCell<Option<HubHandle>>>);

impl Switch {
    /// Switches a hub on.
    pub fn on(&self, hub: HubHandle) {
        self.0.replace(Some(hub));
    }

    /// Switches the hub off: nobody can reach it any more. A hub that is switched on later has none of what it held.
    pub fn off(&self) {
        self.0.take();
    }

    /// The hub, if it is on.
    #[must_use]
    pub fn hub(&self) -> Option<HubHandle> {
        self.0.borrow().clone()
    }

    fn with<T: 'static>(
        &self,
        call: impl FnOnce(&HubHandle) -> LocalBoxFuture<'static, Result<T, Unreachable>>,
    ) -> LocalBoxFuture<'static, Result<T, Unreachable>> {
        match self.0.borrow().as_ref() {
            Some(hub) => call(hub),
            None => async { Err(Unreachable("the hub is stopped".to_owned())) }.boxed_local(),
        }
    }
}

impl Transport for Switch {
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        self.with(|hub| Transport::ask(hub, request))
    }

    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>> {
        self.with(|hub| Transport::register(hub, request))
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        self.with(|hub| Transport::deliver_psrd(hub, request))
    }
}

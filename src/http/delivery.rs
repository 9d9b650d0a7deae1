//! What is being delivered out of band, piece by piece as the caller reads it: one block for each client.
//!
//! A caller who does not read makes the hub hold a block. So that such blocks do not pile up, a delivery to a client breaks
//! off the one before it. An honest client asks for one block at a time, and has given up the one before.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

use crate::crypto::secret::Secret;
use crate::protocol::NodeName;

/// Bytes that the server takes at once. It asks for more when it has written out most of them.
const PIECE_BYTES: usize = 32 * 1024;

/// The last delivery to each client. A node serves HTTP on one thread.
#[derive(Default)]
pub(super) struct Deliveries(RefCell<BTreeMap<NodeName, Weak<RefCell<Bytes>>>>);

/// A body that holds a block of PSRD. The block is wiped once nothing holds a piece of it any more.
pub(super) struct Delivery {
    /// What the server has not taken yet. Empty if the delivery has been broken off.
    rest: Rc<RefCell<Bytes>>,
    length: usize,
    sent: usize,
}

/// A delivery cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("the client has asked for another block of PSRD meanwhile")]
pub(super) struct BrokenOff;

impl Deliveries {
    /// Begins a delivery to a client of the topology, and breaks off the one before.
    pub(super) fn begin(&self, client: NodeName, octets: Secret) -> Delivery {
        let delivery = Delivery {
            length: octets.len(),
            rest: Rc::new(RefCell::new(Bytes::from_owner(octets))),
            sent: 0,
        };
        let this = Rc::downgrade(&delivery.rest);
        let before = self.0.borrow_mut().insert(client, this);
        if let Some(before) = before.and_then(|before| before.upgrade()) {
            drop(before.take());
        }
        delivery
    }
}

impl MessageBody for Delivery {
    type Error = BrokenOff;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        if self.sent == self.length {
            return Poll::Ready(None);
        }
        let mut rest = self.rest.borrow_mut();
        if rest.is_empty() {
            return Poll::Ready(Some(Err(BrokenOff)));
        }
        let length = rest.len().min(PIECE_BYTES);
        let piece = rest.split_to(length);
        drop(rest);
        self.sent += length;
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn next(delivery: &mut Delivery) -> Option<Result<Bytes, BrokenOff>> {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(delivery).poll_next(&mut context) {
            Poll::Ready(next) => next,
            Poll::Pending => panic!("a delivery waits for nothing"),
        }
    }

    fn octets(length: usize) -> Secret {
        Secret::from((0..length).map(|n| (n % 251) as u8).collect::<Vec<u8>>())
    }

    #[test]
    fn a_block_is_delivered_in_pieces() {
        let deliveries = Deliveries::default();
        for length in [1, PIECE_BYTES, 3 * PIECE_BYTES + 5] {
            let mut delivery = deliveries.begin("carol".parse().unwrap(), octets(length));
            assert_eq!(delivery.size(), BodySize::Sized(length as u64));
            let mut read = Vec::new();
            while let Some(piece) = next(&mut delivery) {
                let piece = piece.unwrap();
                assert!(piece.len() <= PIECE_BYTES);
                read.extend_from_slice(&piece);
            }
            assert_eq!(*octets(length), read);
        }
    }

    #[test]
    fn callers_who_do_not_read_hold_one_block_for_each_client() {
        let deliveries = Deliveries::default();
        let begin = |client: &str| deliveries.begin(client.parse().unwrap(), octets(100_000));
        let mut all: Vec<Delivery> = (0..20).map(|_| begin("carol")).collect();
        all.push(begin("celia"));
        next(&mut all[3]).unwrap().unwrap_err();
        let held = all.iter().map(|delivery| delivery.rest.borrow().len());
        assert_eq!(held.sum::<usize>(), 200_000);
        // The last ones go on.
        for delivery in &mut all[19..] {
            next(delivery).unwrap().unwrap();
        }
    }
}

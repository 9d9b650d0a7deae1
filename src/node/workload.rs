//! How much a node has in flight at the same time. Whatever would be too much is refused before it costs memory.

use std::cell::Cell;
use std::rc::Rc;

/// How much may be in flight: a client's calls, or a link's exchanges.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadMax {
    /// Number of calls or exchanges.
    pub number: usize,
    /// Bytes of all of them together. A single one may have more.
    pub bytes: usize,
}

/// Counts what is in flight.
#[derive(Debug)]
pub struct Workload {
    max: WorkloadMax,
    number: Cell<usize>,
    bytes: Cell<usize>,
}

/// Too much is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// One call or exchange. It counts until this is dropped.
#[derive(Debug)]
pub struct InFlight {
    workload: Rc<Workload>,
    bytes: usize,
}

impl Workload {
    /// Nothing is in flight yet.
    #[must_use]
    pub fn new(max: WorkloadMax) -> Rc<Self> {
        Rc::new(Self {
            max,
            number: Cell::new(0),
            bytes: Cell::new(0),
        })
    }

    /// Admits one call or exchange of so many bytes.
    ///
    /// # Errors
    /// If there would be too many, or too many bytes.
    pub fn admit(self: &Rc<Self>, bytes: usize) -> Result<InFlight, Full> {
        let (number, all) = (self.number.get(), self.bytes.get().saturating_add(bytes));
        if number >= self.max.number || (number > 0 && all > self.max.bytes) {
            return Err(Full);
        }
        self.number.set(number + 1);
        self.bytes.set(all);
        Ok(InFlight {
            workload: Rc::clone(self),
            bytes,
        })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Workload { number, bytes, .. } = &*self.workload;
        number.set(number.get() - 1);
        bytes.set(bytes.get().saturating_sub(self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_refused_until_something_is_done() {
        let workload = Workload::new(WorkloadMax {
            number: 2,
            bytes: 10,
        });
        let first = workload.admit(6).unwrap();
        assert_eq!(workload.admit(5).unwrap_err(), Full, "too many bytes");
        let second = workload.admit(4).unwrap();
        assert_eq!(workload.admit(0).unwrap_err(), Full, "too many");
        drop(first);
        let third = workload.admit(6).unwrap();
        drop((second, third));
        // However large it is, one alone is admitted.
        let large = workload.admit(usize::MAX).unwrap();
        assert_eq!(workload.admit(1).unwrap_err(), Full);
        drop(large);
        assert!(workload.admit(1).is_ok());
    }
}

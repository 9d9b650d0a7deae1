//! How much a node has under way at the same time. What would be more is refused before it costs memory.

use std::cell::Cell;
use std::rc::Rc;

/// How much may be under way.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadMax {
    /// Tasks.
    pub tasks: usize,
    /// Bytes of all tasks together. One alone may have more.
    pub bytes: usize,
}

/// What is under way.
#[derive(Debug)]
pub struct Workload {
    max: WorkloadMax,
    tasks: Cell<usize>,
    bytes: Cell<usize>,
}

/// There is too much under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// A task that is under way, until this is dropped.
#[derive(Debug)]
pub struct Task {
    workload: Rc<Workload>,
    bytes: usize,
}

impl Workload {
    /// Nothing is under way yet.
    #[must_use]
    pub fn new(max: WorkloadMax) -> Rc<Self> {
        Rc::new(Self {
            max,
            tasks: Cell::new(0),
            bytes: Cell::new(0),
        })
    }

    /// Takes a task on.
    ///
    /// # Errors
    /// If that would be too much.
    pub fn take(self: &Rc<Self>, bytes: usize) -> Result<Task, Full> {
        let (tasks, all) = (self.tasks.get(), self.bytes.get().saturating_add(bytes));
        if tasks >= self.max.tasks || (tasks > 0 && all > self.max.bytes) {
            return Err(Full);
        }
        self.tasks.set(tasks + 1);
        self.bytes.set(all);
        Ok(Task {
            workload: Rc::clone(self),
            bytes,
        })
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let Workload { tasks, bytes, .. } = &*self.workload;
        tasks.set(tasks.get() - 1);
        bytes.set(bytes.get().saturating_sub(self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_refused_until_something_is_done() {
        let workload = Workload::new(WorkloadMax {
            tasks: 2,
            bytes: 10,
        });
        let first = workload.take(6).unwrap();
        assert_eq!(workload.take(5).unwrap_err(), Full, "too many bytes");
        let second = workload.take(4).unwrap();
        assert_eq!(workload.take(0).unwrap_err(), Full, "too many tasks");
        drop(first);
        let third = workload.take(6).unwrap();
        drop((second, third));
        // However large it is, one alone is taken.
        let large = workload.take(usize::MAX).unwrap();
        assert_eq!(workload.take(1).unwrap_err(), Full);
        drop(large);
        assert!(workload.take(1).is_ok());
    }
}

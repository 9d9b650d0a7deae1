//! Stacks of functions, as `inferno` folds them from what `perf script` prints.

use std::io;

use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options};

/// The fields of `perf script` that inferno reads.
pub(super) const FIELDS: &str = "comm,pid,tid,time,event,ip,sym,dso";

/// A function on a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) is_kernel: bool,
}

impl Frame {
    fn new(folded: &str) -> Self {
        // Inferno appends this to the functions of the kernel.
        let kernel = folded.strip_suffix("_[k]");
        Self {
            name: kernel.unwrap_or(folded).to_owned(),
            is_kernel: kernel.is_some(),
        }
    }
}

/// A stack of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stack {
    pub(super) pid: u32,
    /// How many samples met it.
    pub(super) samples: u64,
    /// The innermost function first.
    pub(super) frames: Vec<Frame>,
}

impl Stack {
    /// Reads `command-pid;outermost;…;innermost samples`.
    fn parse(folded: &str) -> Option<Self> {
        let (stack, samples) = folded.rsplit_once(' ')?;
        let mut frames = stack.split(';');
        let (_, pid) = frames.next()?.rsplit_once('-')?;
        Some(Self {
            pid: pid.parse().ok()?,
            samples: samples.parse().ok()?,
            frames: frames.rev().map(Frame::new).collect(),
        })
    }
}

/// Folds what `perf script -F` prints with [`FIELDS`].
pub(super) fn fold(script: &[u8]) -> io::Result<Vec<Stack>> {
    let mut options = Options::default();
    options.include_pid = true;
    options.annotate_kernel = true;
    let mut folded = Vec::new();
    Folder::from(options).collapse(script, &mut folded)?;
    let folded = String::from_utf8_lossy(&folded);
    Ok(folded.lines().filter_map(Stack::parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &[u8] = b"dske 4711/4712   186.924558: cpu-clock: 
\tffffffff8103ce3b _copy_to_user ([kernel.kallsyms])
\t          1aff30 <a::B as c::D>::e (/usr/bin/dske)
\t          14065f main (/usr/bin/dske)

dske 4711/4711   186.925558: cpu-clock: 
\tffffffff8103ce3b _copy_to_user ([kernel.kallsyms])
\t          1aff30 <a::B as c::D>::e (/usr/bin/dske)
\t          14065f main (/usr/bin/dske)

dske 12/12   186.926558: cpu-clock: 
\tffffffffffffffff [unknown] ([unknown])

";

    #[test]
    fn the_stacks_of_a_process_are_folded() {
        let stacks = fold(SCRIPT).unwrap();
        assert_eq!(stacks.len(), 2);
        let lost = stacks.iter().find(|stack| stack.pid == 12).unwrap();
        assert!(!lost.frames[0].is_kernel);
        let stack = stacks.iter().find(|stack| stack.pid == 4711).unwrap();
        assert_eq!((stack.samples, stack.frames.len()), (2, 3));
        assert_eq!(stack.frames[0], Frame::new("_copy_to_user_[k]"));
        assert!(stack.frames[0].is_kernel && !stack.frames[1].is_kernel);
        assert_eq!(stack.frames[1].name, "<a::B as c::D>::e");
    }

    #[test]
    fn without_samples_there_are_no_stacks() {
        assert!(fold(b"").unwrap().is_empty());
        assert!(fold(b"failed to open\n").unwrap().is_empty());
    }
}

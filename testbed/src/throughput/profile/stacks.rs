//! Stacks of functions, as `inferno` folds them from the output of `perf script`.

use std::io;

use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options};

/// The fields of `perf script` that inferno reads.
pub(super) const FIELDS: &str = "comm,pid,tid,time,event,ip,sym,dso";

/// A stack of a process.
pub(super) struct Stack {
    pub(super) pid: u32,
    /// Samples that found it.
    pub(super) samples: u64,
    /// Names of functions, the innermost first.
    pub(super) frames: Vec<String>,
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
            frames: frames.rev().map(str::to_owned).collect(),
        })
    }
}

/// Whether a function belongs to the kernel. Inferno marks its functions with a suffix.
pub(super) fn is_kernel(frame: &str) -> bool {
    frame.ends_with("_[k]")
}

/// Folds the output of `perf script -F` with [`FIELDS`].
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

    const SAMPLE: &str = "actix-rt|system 4711/4712   186.924558: cpu-clock: 
\tffffffff8103ce3b _copy_to_user ([kernel.kallsyms])
\t          1aff30 <a::B as c::D>::e (/usr/bin/dske)
\tffffffffffffffff [unknown] ([unknown])

";

    #[test]
    fn equal_stacks_of_a_process_are_folded() {
        let script = [SAMPLE, SAMPLE, &SAMPLE.replace("4711/4712", "12/12")].concat();
        let mut stacks = fold(script.as_bytes()).unwrap();
        stacks.sort_by_key(|stack| stack.pid);
        let found: Vec<(u32, u64)> = stacks.iter().map(|s| (s.pid, s.samples)).collect();
        assert_eq!(found, [(12, 1), (4711, 2)]);
        let frames = ["_copy_to_user_[k]", "<a::B as c::D>::e", "[unknown]"];
        assert_eq!(stacks[0].frames, frames);
        assert_eq!(frames.map(is_kernel), [true, false, false]);
    }

    #[test]
    fn without_samples_there_are_no_stacks() {
        assert!(fold(b"").unwrap().is_empty());
        assert!(fold(b"failed to open\n").unwrap().is_empty());
    }
}

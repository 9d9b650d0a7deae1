//! Samples as `perf script` prints them.

/// A function that was under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) address: u64,
    pub(super) name: String,
}

impl Frame {
    /// Addresses of the kernel are the upper half, but for the last one, which is where unwinding has lost its way.
    pub(super) fn is_kernel(&self) -> bool {
        self.address >> 63 == 1 && self.address != u64::MAX
    }
}

/// What a process was doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) pid: u32,
    /// The innermost function first.
    pub(super) stack: Vec<Frame>,
}

/// Reads `perf script -F pid,ip,sym`: for each sample a line with the process, a line for each function, an empty line.
pub(super) fn parse(text: &str) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for line in text.lines() {
        let mut words = line.trim().splitn(2, ' ');
        let (Some(first), rest) = (words.next(), words.next()) else {
            continue;
        };
        if line.starts_with(['\t', ' ']) && rest.is_some() {
            let (Ok(address), Some(sample)) = (u64::from_str_radix(first, 16), samples.last_mut())
            else {
                continue;
            };
            let name = rest.unwrap_or_default().trim().to_owned();
            sample.stack.push(Frame { address, name });
        } else if let Ok(pid) = first.parse() {
            let stack = Vec::new();
            samples.push(Sample { pid, stack });
        }
    }
    samples.retain(|sample| !sample.stack.is_empty());
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_stacks() {
        let text = "  4711 \n\tffffffff8123 _copy_to_user\n\t    55d0 <a::B as c::D>::e\n\n 12 \n\tffffffffffffffff [unknown]\n\n";
        let samples = parse(text);
        assert_eq!(samples.len(), 2);
        assert_eq!((samples[0].pid, samples[0].stack.len()), (4711, 2));
        assert_eq!(samples[0].stack[1].name, "<a::B as c::D>::e");
        assert_eq!(samples[1].pid, 12);
        assert!(!samples[1].stack[0].is_kernel());
    }

    #[test]
    fn a_sample_without_functions_is_none_and_garbage_is_passed_over() {
        assert!(parse("17 \n\n").is_empty());
        assert!(parse("\tzz top\nfailed to open\n").is_empty());
    }
}

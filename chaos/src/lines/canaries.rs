//! Which lines run only where a bug is planted. No campaign plants any, so these need no reason of their own.

/// The lines of a source file.
pub(super) struct Source<'a>(Vec<&'a str>);

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text.lines().collect())
    }

    /// Whether a line, counted from 1, stands in a block, an arm or a condition that a canary opens. Sources are formatted
    /// by rustfmt, so what stands in something is indented further than its head.
    pub(super) fn is_of_canary(&self, line: u64) -> bool {
        let Some(mut at) = usize::try_from(line).ok().and_then(|at| at.checked_sub(1)) else {
            return false;
        };
        while let Some(opener) = self.opener(at) {
            let head = self.head(opener);
            // What runs with a canary or for another reason has to be reached without it.
            if head.contains(" canary(Canary::") && !head.contains("||") {
                return !head.contains("match ") || self.trimmed(at).starts_with("true =>");
            }
            at = opener;
        }
        false
    }

    /// The last line above that is indented less.
    fn opener(&self, at: usize) -> Option<usize> {
        let here = indentation(self.0.get(at)?);
        let mut above = (0..at).rev();
        above.find(|line| !self.trimmed(*line).is_empty() && indentation(self.0[*line]) < here)
    }

    /// What a line opens a block for: a brace on a line of its own stands below a condition of several lines.
    fn head(&self, opener: usize) -> String {
        let from = match self.trimmed(opener) {
            "{" => {
                let here = indentation(self.0[opener]);
                let mut above = (0..opener).rev();
                above.find(|line| indentation(self.0[*line]) <= here)
            }
            _ => None,
        };
        self.0[from.unwrap_or(opener)..=opener].join(" ")
    }

    fn trimmed(&self, at: usize) -> &'a str {
        self.0[at].trim()
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that are of a canary.
    fn of_canaries(text: &str) -> Vec<u64> {
        let source = Source::new(text);
        let lines = 0..=text.lines().count() as u64 + 1;
        lines.filter(|line| source.is_of_canary(*line)).collect()
    }

    #[test]
    fn a_block_is_of_the_canary_in_its_condition() {
        let text = "\
fn f() {
    if a() && canary(Canary::A) {
        b();

        while c() {
            d();
        }
    } else {
        e();
    }
    let x = if canary(Canary::A) {
        1
    } else {
        2
    };
}
";
        assert_eq!(of_canaries(text), [3, 5, 6, 7, 12]);
    }

    #[test]
    fn conditions_of_several_lines_are_read_whole() {
        let text = "\
fn f() {
    if a()
        && canary(Canary::A)
        && b()
    {
        c();
    }
    if canary(Canary::A)
        && let Some(d) = d()
    {
        e();
    }
}
";
        assert_eq!(of_canaries(text), [6, 9, 11]);
    }

    #[test]
    fn of_a_match_only_the_arm_is_of_the_canary() {
        let text = "\
fn f() {
    match canary(Canary::A) {
        true => 1,
        false => 2,
    }
    match a() {
        A if canary(Canary::A) => {
            return 1;
        }
        A => {
            return 2;
        }
    }
}
";
        assert_eq!(of_canaries(text), [3, 8]);
    }

    #[test]
    fn what_runs_without_a_canary_is_of_none() {
        let text = "\
fn f() {
    if !canary(Canary::A) {
        a();
    }
    if a() || canary(Canary::A) {
        b();
    }
    canary(Canary::A);
    c();
}
";
        assert_eq!(of_canaries(text), [0; 0]);
    }
}

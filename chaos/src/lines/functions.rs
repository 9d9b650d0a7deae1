//! Which function a line of a source file belongs to: the last one that begins above it. Sources are formatted by rustfmt,
//! so the head of a function is a line of its own.

use std::collections::BTreeMap;

/// The functions by the line on which they begin.
pub(super) fn functions(source: &str) -> BTreeMap<u64, &str> {
    let lines = (1..).zip(source.lines());
    lines
        .filter_map(|(number, line)| Some((number, name(line)?)))
        .collect()
}

/// The name of the function that begins on a line.
fn name(line: &str) -> Option<&str> {
    const BEFORE: [&str; 6] = [
        "pub",
        "pub(super)",
        "pub(crate)",
        "const",
        "async",
        "unsafe",
    ];
    let (before, behind) = line.split_once("fn ")?;
    let is_head = before.split_whitespace().all(|word| BEFORE.contains(&word));
    let end = behind.find(['(', '<'])?;
    is_head.then(|| &behind[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_known_by_its_head() {
        let source = "// fn no()\nstruct A;\n\nimpl A {\n    pub(super) const fn first(&self) {}\n\n    async fn second<T>(\n        \
                      f: impl Fn() -> T,\n    ) {\n        let fn_pointer: fn (u8) = g;\n    }\n}\n";
        assert_eq!(
            functions(source),
            BTreeMap::from([(5, "first"), (7, "second")])
        );
    }
}

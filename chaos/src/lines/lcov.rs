//! Reading LCOV: for each source file, how often each of its lines was executed.

use std::collections::BTreeMap;

/// Times by line, by file. A file that is named twice has the sum of both. What is not about lines is left out.
pub(super) fn read(text: &str) -> BTreeMap<String, BTreeMap<u64, u64>> {
    let mut files: BTreeMap<String, BTreeMap<u64, u64>> = BTreeMap::new();
    let mut file = None;
    for record in text.lines() {
        if let Some(path) = record.strip_prefix("SF:") {
            file = Some(files.entry(path.to_owned()).or_default());
        }
        let data = record.strip_prefix("DA:").and_then(line_and_times);
        if let (Some((line, times)), Some(file)) = (data, &mut file) {
            *file.entry(line).or_default() += times;
        }
    }
    files
}

/// `12,3`, and a checksum behind it if there is one.
fn line_and_times(data: &str) -> Option<(u64, u64)> {
    let mut parts = data.split(',');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_belong_to_the_file_before_them_and_everything_else_is_left_out() {
        let text = "DA:1,9\nSF:/a/src/x.rs\nFN:3,name\nDA:3,0\nDA:4,12,abc=\nDA:x,1\nend_of_record\nSF:/a/src/y.rs\nDA:3,1\n\
                    end_of_record\nSF:/a/src/x.rs\nDA:3,2\nend_of_record\n";
        let files = read(text);
        assert_eq!(files["/a/src/x.rs"], BTreeMap::from([(3, 2), (4, 12)]));
        assert_eq!(files["/a/src/y.rs"], BTreeMap::from([(3, 1)]));
        assert_eq!(files.len(), 2);
    }
}

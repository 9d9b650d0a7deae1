//! Which lines of the nodes the campaigns reach, and why the others are not reached.
//!
//! `cargo llvm-cov` counts the lines while campaigns run, and says so in an LCOV file. Here those lines are gathered by the
//! function that they belong to, and each function with lines that no campaign reached is looked up in
//! `chaos/unreached.toml`, which says why. A function without a reason is a hole in the campaigns, or a reason is missing.
//! A reason for something that *is* reached is out of date. Lines that only a canary runs need no reason.
//!
//! | module | what it holds |
//! |---|---|
//! | `lcov` | reading the file |
//! | `functions` | which function a line belongs to |
//! | `canaries` | which lines only a canary runs |
//! | [`reasons`] | why a function is not reached |

mod canaries;
mod functions;
mod lcov;
pub mod reasons;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use canaries::Source;
use functions::functions;
use reasons::Reasons;

/// Why lines could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {why}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// It names no source of the nodes.
    #[error(
        "{}: names no file below {}: run `cargo llvm-cov … --lcov --output-path FILE` in the repository, as `just lines` does",
        .path.display(), .sources.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Where the sources of the nodes are.
        sources: PathBuf,
    },
    /// The reasons cannot be used.
    #[error(transparent)]
    Reasons(#[from] reasons::ReasonsError),
}

/// The lines of one file, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Lines with code.
    pub lines: u64,
    /// Those of them that a campaign reached.
    pub reached: u64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.reached += other.reached;
    }
}

/// A function with lines that no campaign reached, besides those of canaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreached {
    /// Its file, below `src/`.
    pub file: String,
    /// Its name; empty for lines above the first function.
    pub function: String,
    /// The lines.
    pub lines: Vec<u64>,
    /// Whether none of its lines was reached.
    pub is_whole: bool,
    /// Why, if somebody has said so.
    pub why: Option<String>,
}

/// What the campaigns reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// By room: the first part of the path below `src/`.
    pub rooms: BTreeMap<String, Count>,
    /// What is not reached, by file and line.
    pub unreached: Vec<Unreached>,
    /// Reasons for what is reached, or does not exist.
    pub outdated: Vec<String>,
}

impl Lines {
    /// All rooms together.
    #[must_use]
    pub fn total(&self) -> Count {
        let mut total = Count::default();
        self.rooms.values().for_each(|room| total.add(*room));
        total
    }

    /// Functions that nobody gave a reason for.
    pub fn unexplained(&self) -> impl Iterator<Item = &Unreached> {
        self.unreached.iter().filter(|one| one.why.is_none())
    }
}

/// Judges the lines of an LCOV file against the sources below `root`.
///
/// # Errors
/// If a file cannot be read, or the LCOV file is about something else.
pub fn judge(lcov: &Path, root: &Path) -> Result<Lines, LinesError> {
    let sources = root.join("src");
    let sources = sources
        .canonicalize()
        .map_err(|why| LinesError::Unreadable { path: sources, why })?;
    let counted = lcov::read(&read(lcov)?);
    let reasons = Reasons::parse(&read(&root.join(reasons::FILE))?)?;
    let mut lines = Lines::default();
    let mut used = vec![false; reasons.all.len()];
    for (path, counts) in &counted {
        let Ok(file) = Path::new(path).strip_prefix(&sources) else {
            continue;
        };
        let file = file.display().to_string();
        let count = Count {
            lines: counts.len() as u64,
            reached: counts.values().filter(|times| **times > 0).count() as u64,
        };
        lines.rooms.entry(room(&file)).or_default().add(count);
        let source = read(Path::new(path))?;
        for mut one in unreached(&file, counts, &source) {
            if let Some(i) = reasons.position(&one) {
                used[i] = true;
                one.why = Some(reasons.all[i].why.clone());
            }
            lines.unreached.push(one);
        }
    }
    if lines.rooms.is_empty() {
        return Err(LinesError::Foreign {
            path: lcov.to_owned(),
            sources,
        });
    }
    let outdated = reasons.all.iter().zip(used).filter(|(_, used)| !used);
    lines.outdated = outdated.map(|(reason, _)| reason.to_string()).collect();
    Ok(lines)
}

fn read(path: &Path) -> Result<String, LinesError> {
    fs::read_to_string(path).map_err(|why| LinesError::Unreadable {
        path: path.to_owned(),
        why,
    })
}

/// `protocol/hub.rs` is in the room `protocol`, `harness.rs` in none but its own.
fn room(file: &str) -> String {
    let first = file.split('/').next().unwrap_or(file);
    first.trim_end_matches(".rs").to_owned()
}

/// The functions of a file with lines that were not reached, though no canary is needed to reach them.
fn unreached(file: &str, counts: &BTreeMap<u64, u64>, source: &str) -> Vec<Unreached> {
    let functions = functions(source);
    let source = Source::new(source);
    let mut found: BTreeMap<u64, (Unreached, bool)> = BTreeMap::new();
    for (line, times) in counts {
        let (start, function) = functions.range(..=line).next_back().unwrap_or((&0, &""));
        let (one, is_reached) = found.entry(*start).or_insert_with(|| {
            let one = Unreached {
                file: file.to_owned(),
                function: (*function).to_owned(),
                lines: Vec::new(),
                is_whole: false,
                why: None,
            };
            (one, false)
        });
        match times {
            0 if source.is_of_canary(*line) => {}
            0 => one.lines.push(*line),
            _ => *is_reached = true,
        }
    }
    let found = found.into_values();
    let found = found.filter(|(one, _)| !one.lines.is_empty());
    found
        .map(|(one, is_reached)| Unreached {
            is_whole: !is_reached,
            ..one
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const SOURCE: &str = "fn first() {\n    a();\n    b();\n}\n\nfn second() {\n    c();\n}\n";

    /// A repository with one source file, these reasons, and what was counted on the lines of that file.
    fn repository(reasons: &str, counts: &str) -> (TempDir, PathBuf) {
        let dir = TempDir::new().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("src/protocol")).unwrap();
        fs::create_dir(root.join("chaos")).unwrap();
        let source = root.join("src/protocol/hub.rs");
        fs::write(&source, SOURCE).unwrap();
        fs::write(root.join(reasons::FILE), reasons).unwrap();
        let lcov = root.join("counted.lcov");
        fs::write(&lcov, format!("SF:{}\n{counts}", source.display())).unwrap();
        (dir, lcov)
    }

    #[test]
    fn lines_are_gathered_by_function_and_looked_up() {
        let reasons = "[[unreached]]\nplace = \"protocol/hub.rs\"\nfunctions = [\"second\"]\nwhy = \"because\"\n";
        let (dir, lcov) = repository(reasons, "DA:1,4\nDA:2,4\nDA:3,0\nDA:6,0\nDA:7,0\n");
        let lines = judge(&lcov, dir.path()).unwrap();
        let total = Count {
            lines: 5,
            reached: 2,
        };
        assert_eq!(lines.total(), total);
        assert_eq!(lines.rooms["protocol"], total);
        let [first, second] = &lines.unreached[..] else {
            panic!("{lines:?}");
        };
        assert_eq!((&first.function[..], &first.lines[..]), ("first", &[3][..]));
        assert!(!first.is_whole && first.why.is_none());
        assert_eq!(
            (&second.function[..], &second.lines[..]),
            ("second", &[6, 7][..])
        );
        assert!(second.is_whole && second.why.as_deref() == Some("because"));
        assert_eq!(lines.unexplained().count(), 1);
        assert!(lines.outdated.is_empty());
    }

    #[test]
    fn a_reason_for_what_is_reached_is_out_of_date() {
        let reasons = "[[unreached]]\nplace = \"protocol\"\nwhy = \"because\"\n\n[[unreached]]\nplace = \"proto\"\nwhy = \"x\"\n";
        let (dir, lcov) = repository(reasons, "DA:1,1\nDA:6,1\n");
        let lines = judge(&lcov, dir.path()).unwrap();
        assert_eq!(lines.outdated, ["protocol", "proto"]);
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let (dir, lcov) = repository("", "DA:1,1\n");
        let said = |lcov: &Path, root: &Path| judge(lcov, root).unwrap_err().to_string();
        let missing = said(&dir.path().join("x.lcov"), dir.path());
        assert!(missing.contains("x.lcov: cannot be read: "), "{missing}");
        fs::write(&lcov, "no lcov at all").unwrap();
        let foreign = said(&lcov, dir.path());
        assert!(foreign.contains("names no file below "), "{foreign}");
        fs::write(dir.path().join(reasons::FILE), "unreached = 3").unwrap();
        let reasons = said(&lcov, dir.path());
        assert!(
            reasons.starts_with("chaos/unreached.toml: TOML parse error"),
            "{reasons}"
        );
    }
}

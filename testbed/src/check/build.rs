//! Builds the `dske` command of the working tree and of a revision in the same way.
//!
//! `cargo build` builds each command on its own. Built together with tests or benches, the command would get features of its
//! dependencies that only those need, such as a clock that can be paused. No package is named, because the command has moved
//! from one package to another.

use crate::eprintln;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Lines of the compiler's output that are shown when a build fails.
const OUTPUT_LINES: usize = 30;

/// Why one of the two commands cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Git or cargo cannot be started.
    #[error("{program} cannot be started: {error}")]
    Program {
        /// The program.
        program: String,
        /// What the system reports.
        error: io::Error,
    },
    /// Git does not know the revision.
    #[error("there is no revision {revision:?} in {}: {says}", .root.display())]
    UnknownRevision {
        /// What was asked for.
        revision: String,
        /// The repository.
        root: PathBuf,
        /// What git reports.
        says: String,
    },
    /// Another git command fails.
    #[error("git {what}: {says}")]
    Git {
        /// The git command.
        what: String,
        /// What git reports.
        says: String,
    },
    /// A tree does not compile.
    #[error("{which} does not build; the end of the compiler's output:\n{output}")]
    Compiler {
        /// Commit and subject.
        which: String,
        /// The last lines of the compiler's output.
        output: String,
    },
}

impl BuildError {
    /// Whether the caller named a revision that does not exist.
    #[must_use]
    pub fn is_bad_use(&self) -> bool {
        matches!(self, Self::UnknownRevision { .. })
    }
}

/// A `dske` command that has been built.
#[derive(Debug, Clone)]
pub struct Built {
    /// Commit and subject.
    pub which: String,
    /// The executable.
    pub binary: PathBuf,
}

/// Builds commands.
pub struct Builder<'a> {
    /// The repository.
    pub root: &'a Path,
    /// Cargo's target folder. Revisions are checked out and built below it, and stay there for the next comparison.
    pub target: &'a Path,
}

impl Builder<'_> {
    /// Builds the command of the working tree.
    ///
    /// # Errors
    /// If it does not build.
    pub fn current(&self) -> Result<Built, BuildError> {
        let mut which = self.describe("HEAD")?;
        if !self.git(&["status", "--porcelain"])?.is_empty() {
            which.push_str(", with changes that are not committed");
        }
        build(self.root, self.target, which)
    }

    /// Builds the command of a revision.
    ///
    /// # Errors
    /// If git does not know the revision, or it does not build.
    pub fn revision(&self, revision: &str) -> Result<Built, BuildError> {
        let commit = format!("{revision}^{{commit}}");
        let commit = self.git(&["rev-parse", "--verify", "--end-of-options", &commit]);
        let commit = commit.map_err(|error| match error {
            BuildError::Git { says, .. } => BuildError::UnknownRevision {
                revision: revision.to_owned(),
                root: self.root.to_owned(),
                says,
            },
            other => other,
        })?;
        let tree = self.target.join("bench-check").join(&commit);
        if !tree.join("Cargo.toml").exists() {
            // Git still lists worktrees that `cargo clean` has deleted.
            self.git(&["worktree", "prune"])?;
            let path = tree.as_os_str();
            let add = ["worktree", "add", "--detach", "--force"].map(OsStr::new);
            self.git(&[&add[..], &[path, OsStr::new(&commit)]].concat())?;
        }
        build(&tree, &tree.join("target"), self.describe(&commit)?)
    }

    /// The short commit hash with its subject.
    fn describe(&self, commit: &str) -> Result<String, BuildError> {
        self.git(&["show", "--no-patch", "--format=%h %s", commit])
    }

    fn git(&self, args: &[impl AsRef<OsStr>]) -> Result<String, BuildError> {
        let output = output(Command::new("git").arg("-C").arg(self.root).args(args))?;
        if !output.status.success() {
            let what: Vec<_> = args
                .iter()
                .map(|arg| arg.as_ref().to_string_lossy())
                .collect();
            return Err(BuildError::Git {
                what: what.join(" "),
                says: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn build(tree: &Path, target: &Path, which: String) -> Result<Built, BuildError> {
    eprintln!("building {which}");
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    let built = output(
        cargo
            .current_dir(tree)
            .env("CARGO_TARGET_DIR", target)
            .args(["build", "--release", "--locked", "--bin", "dske"]),
    )?;
    if !built.status.success() {
        let output = String::from_utf8_lossy(&built.stderr);
        let lines: Vec<&str> = output.lines().collect();
        let end = lines.get(lines.len().saturating_sub(OUTPUT_LINES)..);
        return Err(BuildError::Compiler {
            which,
            output: end.unwrap_or_default().join("\n"),
        });
    }
    Ok(Built {
        which,
        binary: target.join("release").join("dske"),
    })
}

fn output(command: &mut Command) -> Result<Output, BuildError> {
    command.output().map_err(|error| BuildError::Program {
        program: command.get_program().to_string_lossy().into_owned(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with one commit, whose `dske` command has this source.
    fn repository(main: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("src")).unwrap();
        let manifest =
            "[workspace]\n[package]\nname = \"dske\"\nversion = \"0.0.0\"\nedition = \"2024\"\n";
        let lock = "version = 4\n\n[[package]]\nname = \"dske\"\nversion = \"0.0.0\"\n";
        for (file, text) in [
            ("Cargo.toml", manifest),
            ("Cargo.lock", lock),
            ("src/main.rs", main),
            (".gitignore", "target\n"),
        ] {
            std::fs::write(root.join(file), text).unwrap();
        }
        let name = ["-c", "user.name=n", "-c", "user.email=e@localhost"];
        for args in [
            &["init", "--quiet"][..],
            &["add", "."],
            &["commit", "--quiet", "-m", "First"],
        ] {
            let git = Command::new("git")
                .current_dir(root)
                .args(name)
                .args(args)
                .status();
            assert!(git.unwrap().success(), "{args:?}");
        }
        folder
    }

    #[test]
    fn the_working_tree_and_a_revision_are_built_beside_each_other() {
        let folder = repository("fn main() { println!(\"old\"); }");
        let target = folder.path().join("target");
        let builder = Builder {
            root: folder.path(),
            target: &target,
        };
        assert!(!builder.current().unwrap().which.contains("not committed"));
        std::fs::write(
            folder.path().join("src/main.rs"),
            "fn main() { println!(\"new\"); }",
        )
        .unwrap();
        // Twice: the second time uses what the first has built.
        for _ in 0..2 {
            let (current, old) = (
                builder.current().unwrap(),
                builder.revision("HEAD").unwrap(),
            );
            assert!(
                current
                    .which
                    .ends_with("First, with changes that are not committed")
            );
            assert!(old.which.ends_with("First"));
            for (built, says) in [(current, "new\n"), (old, "old\n")] {
                let said = Command::new(built.binary).output().unwrap().stdout;
                assert_eq!(String::from_utf8(said).unwrap(), says);
            }
        }
        // Also after `cargo clean`.
        std::fs::remove_dir_all(&target).unwrap();
        builder.revision("HEAD").unwrap();
    }

    #[test]
    fn what_cannot_be_built_says_why() {
        let folder = repository("fn main() { nonsense }");
        let target = folder.path().join("target");
        let builder = Builder {
            root: folder.path(),
            target: &target,
        };
        let unknown = builder.revision("v9").unwrap_err();
        assert!(unknown.is_bad_use());
        assert!(
            unknown
                .to_string()
                .starts_with("there is no revision \"v9\" in "),
            "{unknown}"
        );
        // It must not reach git as an option.
        assert!(builder.revision("--all").unwrap_err().is_bad_use());
        let broken = builder.revision("HEAD").unwrap_err();
        assert!(!broken.is_bad_use());
        let says = broken.to_string();
        assert!(
            says.contains("First does not build") && says.contains("`nonsense`"),
            "{says}"
        );
    }
}

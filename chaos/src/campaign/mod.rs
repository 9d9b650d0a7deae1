//! Campaigns: TOML files that say what is drawn, how often, and what must come of it. `docs/campaigns.md`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`file`](mod@file) | the file's format |
//! | [`value`] | numbers, ranges, and counts relative to N and K |
//! | [`check`] | what a campaign must not say, with its line |
//! | [`draw`] | how a campaign and a seed become a plan |

pub mod check;
pub mod draw;
pub mod file;
pub mod value;

use std::fmt;
use std::path::Path;

pub use file::Campaign;

/// The campaigns that come with the command, in the order in which they run.
const BUILT_IN: [(&str, &str); 10] = [
    ("calm", include_str!("../../campaigns/calm.toml")),
    (
        "partitions",
        include_str!("../../campaigns/partitions.toml"),
    ),
    ("crashes", include_str!("../../campaigns/crashes.toml")),
    (
        "byzantine-minority",
        include_str!("../../campaigns/byzantine-minority.toml"),
    ),
    (
        "byzantine-majority",
        include_str!("../../campaigns/byzantine-majority.toml"),
    ),
    (
        "byzantine-forgery",
        include_str!("../../campaigns/byzantine-forgery.toml"),
    ),
    ("collusion", include_str!("../../campaigns/collusion.toml")),
    (
        "collusion-control",
        include_str!("../../campaigns/collusion-control.toml"),
    ),
    ("drought", include_str!("../../campaigns/drought.toml")),
    ("storm", include_str!("../../campaigns/storm.toml")),
];

/// Largest campaign file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// A campaign that cannot be used. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CampaignError {
    /// The file, or the name that was asked for.
    pub file: String,
    /// The line, from 1, if it is about one.
    pub line: Option<usize>,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl fmt::Display for CampaignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Names of the campaigns that come with the command.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// A campaign by the name of one that comes with the command, or by the path of a file (with a `/`, or ending in
/// `.toml`).
///
/// # Errors
/// If there is none of this name, or the file says something that cannot be.
pub fn load(name: &str) -> Result<Campaign, CampaignError> {
    let mut campaign = if name.contains('/') || name.ends_with(".toml") {
        read(name)?
    } else {
        built_in(name)?
    };
    name.clone_into(&mut campaign.source);
    Ok(campaign)
}

fn built_in(name: &str) -> Result<Campaign, CampaignError> {
    match BUILT_IN.iter().find(|(known, _)| *known == name) {
        Some((name, text)) => check::parse(name, &format!("{name}.toml"), text),
        None => Err(CampaignError {
            file: name.to_owned(),
            line: None,
            message: format!(
                "there is no such campaign; there are {}, and files that end in .toml",
                names().collect::<Vec<_>>().join(", ")
            ),
        }),
    }
}

fn read(file: &str) -> Result<Campaign, CampaignError> {
    let fail = |message: String| CampaignError {
        file: file.to_owned(),
        line: None,
        message,
    };
    let path = Path::new(file);
    let size = std::fs::metadata(path)
        .map_err(|e| fail(format!("cannot be read: {e}")))?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(fail(format!(
            "has {size} bytes, a campaign has at most {FILE_BYTES_MAX}"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
    let name = path
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    check::parse(&name, file, &text)
}

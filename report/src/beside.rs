//! Links from the report to the pages that other commands write into the same directory. Each page may be written
//! before the report, after it, or never.

use std::fs;
use std::path::Path;

use maud::{Markup, html};

use super::file::{ReportError, replace};

/// Name of the report itself.
pub const INDEX: &str = "index.html";

/// A page of another command.
pub struct Page {
    /// Its file.
    pub file: &'static str,
    /// What it shows, in a few words.
    shows: &'static str,
    /// The command that writes it.
    command: &'static str,
}

/// The page of the self-test.
pub const SELFTEST: Page = Page {
    file: "selftest.html",
    shows: "Whether these checks see bugs that are planted on purpose",
    command: "cargo chaos selftest",
};

/// The page of a sweep.
pub const SWEEP: Page = Page {
    file: "sweep.html",
    shows: "How far it goes: where keys stop arriving, how long they take, what they cost",
    command: "cargo chaos sweep",
};

/// The page of reached lines.
pub const LINES: Page = Page {
    file: "lines.html",
    shows: "Which lines of the nodes the campaigns reach, and why not the others",
    command: "just lines",
};

/// The page of the measured throughput.
pub const THROUGHPUT: Page = Page {
    file: "throughput.html",
    shows: "How fast it goes: keys a second over real HTTP, and what limits them",
    command: "cargo bench --bench throughput",
};

/// The page that shows how cost grows.
pub const GROWTH: Page = Page {
    file: "growth.html",
    shows: "What more hubs, clients, shares and pre-shared random data cost",
    command: "cargo bench --bench growth",
};

const ALL: [Page; 5] = [SELFTEST, LINES, SWEEP, THROUGHPUT, GROWTH];

impl Page {
    /// What the report says where the page does not exist.
    fn hint(&self) -> Markup {
        html! { p.note { (self.shows) ": " code { (self.command) } } }
    }

    fn link(&self) -> Markup {
        html! { p.note { a href=(self.file) { (self.shows) } } }
    }
}

/// What the report says about these pages before anybody has looked which of them exist.
#[must_use]
pub fn hints() -> Markup {
    html! { @for page in &ALL { (page.hint()) } }
}

/// Turns the hints of the report into links to the pages that exist.
///
/// # Errors
/// [`ReportError`] names the path that could not be written.
pub fn link(out_dir: &Path) -> Result<(), ReportError> {
    let index = out_dir.join(INDEX);
    let Ok(report) = fs::read_to_string(&index) else {
        return Ok(());
    };
    let there = ALL.iter().filter(|page| out_dir.join(page.file).exists());
    let linked = there.fold(report.clone(), |report, page| {
        let (hint, link) = (page.hint().into_string(), page.link().into_string());
        report.replacen(&hint, &link, 1)
    });
    if linked == report {
        return Ok(());
    }
    replace(&index, &linked)
}

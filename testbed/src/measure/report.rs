//! The frame of both pages, and the files of a report.

use std::path::{Path, PathBuf};

use dske_report::beside::{Page, link};
use dske_report::text::seconds;
use dske_report::{Banner, ReportError, Table, Tone, check_writable, replace, write_json};
use maud::{Markup, html};
use serde::Serialize;

use super::{Extent, Provenance};

/// Writes a page, its data as JSON, and a CSV file for each table, into `out_dir`. Returns the path of the page.
///
/// # Errors
/// [`ReportError`] names the path that could not be created or written.
pub(crate) fn write(
    out_dir: &Path,
    page: &Page,
    data: &impl Serialize,
    tables: &[Table],
    html: Markup,
) -> Result<PathBuf, ReportError> {
    let path = out_dir.join(page.file);
    // The folder of the CSV files has the name of the page.
    let folder = path.with_extension("");
    check_writable(&folder)?;
    write_json(&path.with_extension("json"), data)?;
    for table in tables {
        replace(&folder.join(format!("{}.csv", table.name)), &table.csv())?;
    }
    replace(&path, &html.into_string())?;
    link(out_dir)?;
    Ok(path)
}

/// The verdict at the head of a page.
pub(crate) fn banner(
    title: &str,
    provenance: &Provenance,
    tone: Tone,
    headline: Markup,
    details: Markup,
) -> Markup {
    let Provenance {
        version, started, ..
    } = provenance;
    Banner {
        tone,
        kicker: html! { (title) " · dske " (version) " · " (started) },
        headline,
        details: html! {
            (details)
            @if provenance.extent == Extent::Quick {
                p { "A quick run: single short measurements, not figures to quote." }
            }
        },
    }
    .html()
}

/// The foot of a page.
pub(crate) fn footer(provenance: &Provenance, explanation: &Markup) -> Markup {
    let Provenance {
        version,
        command,
        started,
        machine,
        wall_s,
        ..
    } = provenance;
    let origin = html! {
        "dske " (version) " · " (machine.words()) " · " (started) " · " (seconds(*wall_s))
    };
    dske_report::footer(explanation, command, &origin)
}

#[cfg(test)]
mod tests {
    use dske_report::beside::GROWTH;

    use super::*;

    #[derive(Serialize)]
    struct Row {
        x: u8,
    }

    #[test]
    fn a_report_is_a_page_its_data_and_its_tables() {
        let folder = tempfile::tempdir().unwrap();
        let rows = [Row { x: 1 }, Row { x: 2 }];
        let tables: Vec<Table> = Table::of("rows", &rows).into_iter().collect();
        let page = write(folder.path(), &GROWTH, &rows, &tables, html! { "page" }).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(page, folder.path().join("growth.html"));
        assert_eq!(read("growth.html"), "page");
        assert_eq!(read("growth/rows.csv"), "x\r\n1\r\n2\r\n");
        assert!(read("growth.json").contains("\"x\": 2"));
    }

    #[test]
    fn a_quick_run_says_so_and_names_are_escaped() {
        let mut provenance = Provenance::sample();
        let of = |p: &Provenance| {
            let banner = banner("t", p, Tone::Held, html! {}, html! {});
            (banner.into_string(), footer(p, &html! {}).into_string())
        };
        let (banner, footer) = of(&provenance);
        assert!(!banner.contains("A quick run") && footer.contains("A &lt;fast&gt; one, 2 cores"));
        provenance.extent = Extent::Quick;
        assert!(of(&provenance).0.contains("A quick run"));
    }
}

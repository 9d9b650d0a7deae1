//! Errors with the line that they are about.

use std::ops::Range as Span;

use dske::topology::range::{OutOfRange, within};

use super::CampaignError;
use super::value::Range;
use crate::plan::limits::Limit;

/// A campaign file that is being checked.
#[derive(Clone, Copy)]
pub(super) struct Checker<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Checker<'_> {
    /// Whether a field of the section that begins at `span` keeps within its limit.
    pub(super) fn within(
        &self,
        span: &Span<usize>,
        what: &str,
        range: Range,
        limit: Limit,
    ) -> Result<(), CampaignError> {
        let inside = |value| within(what, value, limit.clone());
        inside(range.from).and(inside(range.to)).map_err(|error| {
            let field = what.rsplit('.').next().unwrap_or(what);
            let value = range.to_string();
            self.error_in(span, field, &OutOfRange { value, ..error }.to_string())
        })
    }

    /// An error about a field of the section that begins at `span`.
    pub(super) fn error_in(&self, span: &Span<usize>, field: &str, message: &str) -> CampaignError {
        // The parser knows where the section begins; the field's line is looked for from there. An inline table is on
        // that very line.
        let section = self.text.get(span.start..).unwrap_or_default();
        let mut at = span.start;
        let mut found = None;
        if !section.starts_with('{') {
            for (index, line) in section.split_inclusive('\n').enumerate() {
                if index > 0 && line.starts_with('[') {
                    break;
                }
                let rest = line.strip_prefix(field);
                if rest.is_some_and(|rest| rest.trim_start().starts_with('=')) {
                    found = Some(at);
                }
                at += line.len();
            }
        }
        let at = found.unwrap_or(span.start);
        self.error(Some(at..at), message)
    }

    pub(super) fn error(&self, span: Option<Span<usize>>, message: &str) -> CampaignError {
        let line = |span: Span<usize>| {
            let before = self.text.get(..span.start).unwrap_or(self.text);
            before.matches('\n').count() + 1
        };
        CampaignError {
            file: self.file.to_owned(),
            line: span.map(line),
            // The parser's messages may have several lines.
            message: message.lines().collect::<Vec<_>>().join("; "),
        }
    }
}

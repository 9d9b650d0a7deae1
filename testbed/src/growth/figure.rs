//! A cost against what grows: drawn, and judged by its slope.

use super::report::FOLDER;
use super::slope::slope;
use crate::throughput::report::words::number;
use dske_report::plot::{Axis, Look, Plot, legend};
use dske_report::text::trim;
use dske_report::{Section, Table};
use maud::PreEscaped;

/// A cost that is to grow linearly may have a slope up to this, and one that is to be constant no more than [`CONSTANT_MAX`]:
/// what is measured scatters, and finding one thing among many takes their logarithm.
pub(super) const LINEAR_MAX: f64 = 1.1;

/// See [`LINEAR_MAX`].
pub(super) const CONSTANT_MAX: f64 = 0.15;

/// How a cost may grow.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Bound {
    Linear,
    Constant,
}

impl Bound {
    fn words(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Constant => "constant",
        }
    }

    pub(super) fn allows(self, slope: f64) -> bool {
        let most = match self {
            Self::Linear => LINEAR_MAX,
            Self::Constant => CONSTANT_MAX,
        };
        slope <= most
    }
}

/// A cost against what grows.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) bound: Bound,
}

impl Series {
    pub(super) fn slope(&self) -> Option<f64> {
        slope(self.points.iter().copied())
    }

    fn words(&self) -> String {
        let Some(slope) = self.slope() else {
            return format!("{}: too few points to tell", self.name);
        };
        let (first, last) = (self.points.first(), self.points.last());
        let value = |point: Option<&(f64, f64)>| number(point.map_or(f64::NAN, |p| p.1));
        format!(
            "{}: from {} to {}, slope <b>{}</b>, {}",
            self.name,
            value(first),
            value(last),
            trim(slope, 2),
            if self.bound.allows(slope) {
                format!("no worse than {}", self.bound.words())
            } else {
                format!("<b>worse than {}</b>", self.bound.words())
            }
        )
    }
}

/// Series that share their axes.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) series: Vec<Series>,
}

pub(super) struct Figure {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) lead: String,
    pub(super) x: &'static str,
    pub(super) x_name: fn(f64) -> String,
    pub(super) charts: Vec<Chart>,
    pub(super) table: Option<Table>,
}

impl Figure {
    pub(super) fn series(&self) -> impl Iterator<Item = &Series> {
        self.charts.iter().flat_map(|chart| &chart.series)
    }

    pub(super) fn html(&self) -> String {
        let panels: String = self.charts.iter().map(|chart| self.panel(chart)).collect();
        let words: Vec<String> = self.series().map(Series::words).collect();
        let most = self.charts.iter().map(|chart| chart.series.len()).max();
        let names = self.charts.iter().find(|c| Some(c.series.len()) == most);
        let names = names.map_or(&[][..], |chart| &chart.series);
        let looks: Vec<_> = names.iter().map(|s| s.name).zip(Look::ALL).collect();
        Section {
            id: self.id,
            title: self.title,
            lead: PreEscaped(self.lead.clone()),
            legend: PreEscaped(if looks.len() > 1 {
                legend(&looks).into_string()
            } else {
                String::new()
            }),
            panels: PreEscaped(panels),
            caption: PreEscaped(format!("<b>What it comes to:</b> {}.", words.join("; "))),
            tables: PreEscaped(
                self.table
                    .as_ref()
                    .map_or_else(String::new, |t| t.details(FOLDER).into_string()),
            ),
        }
        .html()
        .into_string()
    }

    fn panel(&self, chart: &Chart) -> String {
        let all = || chart.series.iter().flat_map(|series| &series.points);
        let fold = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, 0.0_f64), |(l, m), v| (l.min(v), m.max(v)))
        };
        let (x_least, x_most) = fold(&mut all().map(|point| point.0));
        let (y_least, y_most) = fold(&mut all().map(|point| point.1));
        if !x_least.is_finite() {
            return String::new();
        }
        let plot = Plot {
            title: chart.title.to_owned(),
            x: Axis::log(self.x, x_least, x_most, self.x_name),
            y: Axis::log(chart.unit, y_least, y_most, number),
            height: 260,
        };
        plot.draw(|frame| {
            for (series, look) in chart.series.iter().zip(Look::ALL) {
                frame.path(&series.points, look.ink, 2);
                for &(x, y) in &series.points {
                    frame.mark((x, y), (y, y), 0, look);
                }
            }
        })
        .into_string()
    }
}

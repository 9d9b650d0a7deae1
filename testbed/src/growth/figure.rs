//! A cost against what grows: drawn, and judged by its slope.

use dske_report::plot::{Axis, Chart, Scale, Series};
use dske_report::statistics::{Spread, log_slope};
use dske_report::text::trim;
use dske_report::{Section, Table};
use maud::{Markup, html};

use crate::measure::words::number;

/// The largest slope that counts as linear. Above 1, because measurements scatter.
pub(super) const LINEAR_MAX: f64 = 1.1;

/// The largest slope that counts as constant. Above 0, because measurements scatter, and because finding one of many things
/// takes their logarithm.
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

    fn allows(self, slope: f64) -> bool {
        let most = match self {
            Self::Linear => LINEAR_MAX,
            Self::Constant => CONSTANT_MAX,
        };
        slope <= most
    }
}

/// A cost against what grows.
pub(super) struct Cost {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, Spread)>,
    pub(super) bound: Bound,
}

impl Cost {
    fn slope(&self) -> Option<f64> {
        log_slope(self.points.iter().map(|(x, spread)| (*x, spread.median)))
    }

    /// Whether it grows no faster than it may. A cost with too few points has not been seen to grow.
    pub(super) fn is_within_bound(&self) -> bool {
        self.slope().is_none_or(|slope| self.bound.allows(slope))
    }

    fn words(&self) -> Markup {
        let (name, bound) = (self.name, self.bound.words());
        let (Some(slope), Some(first), Some(last)) =
            (self.slope(), self.points.first(), self.points.last())
        else {
            return html! { (name) ": too few points for a slope" };
        };
        let [first, last] = [first, last].map(|(_, spread)| number(spread.median));
        html! {
            (name) ": from " (first) " to " (last) ", slope " b { (trim(slope, 2)) } ", "
            @if self.bound.allows(slope) { "no worse than " (bound) }
            @else { b { "worse than " (bound) } }
        }
    }
}

/// Costs that share their axes.
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) costs: Vec<Cost>,
}

/// Costs against one thing that grows.
pub(super) struct Figure {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) lead: String,
    pub(super) x: &'static str,
    pub(super) x_name: fn(f64) -> String,
    pub(super) panels: Vec<Panel>,
    pub(super) table: Option<Table>,
}

impl Figure {
    pub(super) fn costs(&self) -> impl Iterator<Item = &Cost> {
        self.panels.iter().flat_map(|panel| &panel.costs)
    }

    /// The figure in its section. `folder` is where its CSV file lies.
    pub(super) fn html(&self, folder: &str) -> Markup {
        let charts = self.panels.iter().filter_map(|panel| self.chart(panel));
        let charts: Vec<(Markup, Markup)> = charts.map(|c| (c.legend(), c.draw())).collect();
        Section {
            id: self.id,
            title: self.title,
            lead: html! { (self.lead) },
            legend: html! { @for (legend, _) in &charts { (legend) } },
            panels: html! { @for (_, panel) in &charts { (panel) } },
            caption: html! {
                b { "The result:" } " "
                @for (i, cost) in self.costs().enumerate() { @if i > 0 { "; " } (cost.words()) }
                "."
            },
            tables: html! { @if let Some(table) = &self.table { (table.details(folder)) } },
        }
        .html()
    }

    /// `None` where nothing was measured.
    fn chart(&self, panel: &Panel) -> Option<Chart> {
        let x = panel
            .costs
            .iter()
            .flat_map(|cost| &cost.points)
            .map(|p| p.0);
        let (least, most) = x.fold((f64::INFINITY, 0.0_f64), |(least, most), x| {
            (least.min(x), most.max(x))
        });
        let series = |cost: &Cost| Series {
            name: cost.name.to_owned(),
            points: cost.points.clone(),
        };
        least.is_finite().then(|| Chart {
            title: panel.title,
            x: Axis::log(self.x, least, most, self.x_name),
            unit: panel.unit,
            scale: Scale::Log,
            value: number,
            height: 260,
            series: panel.costs.iter().map(series).collect(),
        })
    }
}

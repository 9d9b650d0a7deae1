//! Writes metrics: a name, its meaning, and its current values with their labels.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Names and values of labels.
pub(super) type Labels<'a, const N: usize> = [(&'a str, &'a str); N];

pub(super) struct Families<'a>(pub(super) DescriptorEncoder<'a>);

impl Families<'_> {
    /// A number that only grows; its name gets the suffix `_total`.
    pub(super) fn counter<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        self.counter_with_unit(name, None, help, values)
    }

    /// The same, with the unit in its name.
    pub(super) fn counter_with_unit<'l, const N: usize, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l, N>, V)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, unit, MetricType::Counter)?;
        for (labels, value) in values {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// A number that goes up and down; its name gets the unit as a suffix.
    pub(super) fn gauge<'l, const N: usize>(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l, N>, impl EncodeGaugeValue)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in values {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// PSRD left, by the name of a `peer`, `hub` or `client`: for requests (up) and for responses (down).
    pub(super) fn psrd_left<'l>(
        &mut self,
        peer: &'static str,
        left: impl Iterator<Item = (&'l str, usize, usize)>,
    ) -> fmt::Result {
        let help = format!(
            "Pre-shared random data left, by {peer}, and pool: up for requests, down for responses"
        );
        let by_pool = left.flat_map(|(name, up, down)| {
            [("up", up), ("down", down)]
                .map(|(pool, bytes)| ([(peer, name), ("pool", pool)], bytes))
        });
        self.gauge("psrd_left", Some(&Unit::Bytes), &help, by_pool)
    }

    pub(super) fn uptime(&mut self, uptime_ms: u64) -> fmt::Result {
        let help = "Time since the start of the node";
        let seconds = uptime_ms as f64 / 1000.0;
        self.gauge("uptime", Some(&Unit::Seconds), help, only(seconds))
    }
}

/// A metric that has one value, without labels.
pub(super) fn only<V>(value: V) -> [(Labels<'static, 0>, V); 1] {
    [([], value)]
}

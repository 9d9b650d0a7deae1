//! What the nodes report before and after a load, by `/metrics` of each.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;

use dske::http::paths;
use dske::http::peer::Identity;
use dske::protocol::NodeName;
use dske::topology::Topology;

use super::report::NodeFigures;
use crate::over_http::{HttpClients, HttpNodes};

/// How long a node may take to answer, connecting included: one that is down must not hold up the report.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Largest answer that is read, in bytes. The answer of a client with 255 hubs takes a small part of it.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What one node reports. A metric with labels is summed up over them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sample {
    values: BTreeMap<String, f64>,
    profile: Option<String>,
}

/// The nodes that have answered.
pub(super) type Samples = BTreeMap<NodeName, Sample>;

/// Asks all nodes at once.
pub(super) async fn look(topology: Topology, http: HttpClients) -> Samples {
    let nodes = HttpNodes::new(Rc::new(topology.clone()), http.clone());
    let asked = topology.nodes().map(|(_, node)| {
        let url = format!("{}{}", nodes.origin(&node.name), paths::METRICS);
        let http = http.of(&Identity::Monitor).ok();
        let request = http.map(|http| http.get(url).timeout(ANSWER_WITHIN).send());
        async move {
            let answer = async {
                let mut answer = request?.await.ok()?;
                let text = answer.body().limit(ANSWER_BYTES_MAX).await.ok()?;
                answer.status().is_success().then_some(text)
            };
            let text = tokio::time::timeout(ANSWER_WITHIN, answer).await.ok()??;
            let sample = Sample::parse(std::str::from_utf8(&text).ok()?);
            Some((node.name.clone(), sample))
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

impl Sample {
    /// The text format of Prometheus: `NAME{LABEL="VALUE",…} NUMBER`.
    fn parse(text: &str) -> Self {
        let mut sample = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            if let Ok(value) = value.parse::<f64>() {
                *sample.values.entry(name.to_owned()).or_default() += value;
            }
            if name == "dske_build_info" {
                let profile = labels.split_once("profile=\"");
                let profile = profile.and_then(|(_, rest)| rest.split_once('"'));
                sample.profile = profile.map(|(profile, _)| profile.to_owned());
            }
        }
        sample
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }
}

/// What each node used between two samples. A node that did not answer both times, or was restarted in between, has no
/// figures.
pub(super) fn compare(topology: &Topology, before: &Samples, after: &Samples) -> Vec<NodeFigures> {
    let figures = topology.nodes().map(|(role, node)| {
        let mut figures = NodeFigures {
            name: node.name.clone(),
            role,
            cpu_s: None,
            rss_bytes: None,
            psrd_bytes: None,
            profile: None,
        };
        let both = before.get(&node.name).zip(after.get(&node.name));
        let Some((before, after)) = both else {
            return figures;
        };
        figures.cpu_s = cpu_used(before, after);
        figures.rss_bytes = after.get("process_resident_memory_bytes").map(|b| b as u64);
        figures.psrd_bytes = psrd_used(topology, before, after);
        figures.profile.clone_from(&after.profile);
        figures
    });
    figures.collect()
}

fn cpu_used(before: &Sample, after: &Sample) -> Option<f64> {
    let used = "process_cpu_seconds_total";
    let used = after.get(used)? - before.get(used)?;
    (used >= 0.0).then_some(used)
}

/// PSRD that a client has used up with all hubs, for requests and responses: what was delivered and is no longer there.
/// PSRD that is lost because a hub forgets the client counts as used up, too.
fn psrd_used(topology: &Topology, before: &Sample, after: &Sample) -> Option<u64> {
    let (blocks, left) = (
        "dske_client_link_refills_total",
        "dske_client_psrd_left_bytes",
    );
    let delivered = (after.get(blocks)? - before.get(blocks)?) * topology.psrd.block_bytes as f64;
    let used = delivered + before.get(left)? - after.get(left)?;
    (used >= 0.0).then_some(used as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dske::topology::Role;

    const BEFORE: &str = "\
# HELP process_cpu_seconds CPU time
# TYPE process_cpu_seconds counter
process_cpu_seconds_total 1.5
process_resident_memory_bytes 1000000
dske_build_info{version=\"0.1.0\",profile=\"debug\"} 1
dske_client_psrd_left_bytes{hub=\"hank\",pool=\"up\"} 100
dske_client_psrd_left_bytes{hub=\"hank\",pool=\"down\"} 50
dske_client_link_refills_total{hub=\"hank\"} 2
";

    fn compared(after: &str) -> NodeFigures {
        let text = "threshold = 2\npsrd = {block_bytes = 1024, low_water_bytes = 512}\nhubs = [{name = \"hank\"}, {name = \"helen\"}]\nclients = [{name = \"carol\"}]";
        let topology = Topology::parse("t", text).unwrap();
        let carol: NodeName = "carol".parse().unwrap();
        let sample = |text| BTreeMap::from([(carol.clone(), Sample::parse(text))]);
        let figures = compare(&topology, &sample(BEFORE), &sample(after));
        assert_eq!(
            (&figures[0].name, figures[0].cpu_s),
            (&"hank".parse().unwrap(), None)
        );
        figures[2].clone()
    }

    #[test]
    fn figures_are_what_was_used_in_between() {
        let after = BEFORE
            .replace("seconds_total 1.5", "seconds_total 3.75")
            .replace("memory_bytes 1000000", "memory_bytes 900000")
            .replace("\"up\"} 100", "\"up\"} 20")
            .replace("\"hank\"} 2", "\"hank\"} 5");
        let figures = compared(&after);
        assert_eq!(figures.role, Role::Client);
        assert_eq!(figures.cpu_s, Some(2.25));
        assert_eq!(figures.rss_bytes, Some(900_000));
        assert_eq!(figures.psrd_bytes, Some(3 * 1024 + 80));
        assert_eq!(figures.profile.as_deref(), Some("debug"));
    }

    #[test]
    fn a_node_that_was_started_anew_has_no_figures_that_could_mislead() {
        let after = BEFORE
            .replace("seconds_total 1.5", "seconds_total 0.2")
            .replace("\"hank\"} 2", "\"hank\"} 1");
        let figures = compared(&after);
        assert_eq!((figures.cpu_s, figures.psrd_bytes), (None, None));
    }

    #[test]
    fn what_is_not_told_is_absent() {
        let figures = compared("dske_client_uptime_seconds 1\n\nnonsense\n");
        assert_eq!((figures.cpu_s, figures.rss_bytes), (None, None));
        assert_eq!((figures.psrd_bytes, figures.profile), (None, None));
    }
}

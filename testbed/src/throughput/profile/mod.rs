//! Where the CPU time of a key goes: samples of all node processes by `perf`, while a load is on them.
//!
//! | file | idea |
//! |---|---|
//! | `samples` | what `perf script` prints |
//! | `classify` | what a sample counts as |
//! | [`rules`] | the names of functions by which that is told |

mod classify;
pub mod rules;
mod samples;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::load::{self, LoadReport};
use dske::protocol::NodeName;
use dske::topology::Role;
use futures_util::future::join;
use tokio::time::sleep;

use super::data::{Condition, Function, Profile, RoleProfile};
use super::lab::{LabError, MASTER, Programs, load_of, topology, wait_until_provisioned};
use super::plan::{BASE, LARGE, MANY};
use crate::Cluster;
use crate::process::ProcessCluster;
use samples::Sample;

/// Samples for each second of CPU time. Prime, so that it beats with nothing.
const FREQUENCY: &str = "997";

/// Stacks are unwound by the tables that the compiler makes anyway, from a copy of so many bytes of them.
const CALL_GRAPH: &str = "dwarf,8192";

/// Functions that are named for each role.
const FUNCTIONS: usize = 12;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProfileError {
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("perf cannot be used: {0}")]
    Perf(String),
}

/// What is looked into: what has a target, but for one call at a time, in which cores wait more than they work.
const CONDITIONS: [Condition; 3] = [BASE, MANY, LARGE];

/// Takes a profile of a fresh cluster under each condition.
pub(super) async fn take(
    programs: &Programs,
    times: (Duration, Duration),
    progress: &impl Fn(&str),
) -> Result<Vec<Profile>, ProfileError> {
    let text = topology(BASE.hubs, BASE.threshold);
    let cluster = ProcessCluster::start(&programs.dske, &text).await;
    let cluster = cluster.map_err(LabError::from)?;
    wait_until_provisioned(&cluster).await;
    let mut profiles = Vec::new();
    for condition in CONDITIONS {
        let profile = take_under(&cluster, condition, times).await?;
        progress(&format!(
            "profile: {condition}: {} samples",
            profile.samples
        ));
        profiles.push(profile);
    }
    Ok(profiles)
}

async fn take_under(
    cluster: &ProcessCluster,
    condition: Condition,
    times: (Duration, Duration),
) -> Result<Profile, ProfileError> {
    let topology = cluster.topology();
    let nodes = topology.nodes().filter_map(|(role, node)| {
        let role = role_name(role, &node.name);
        Some((cluster.process_id(&node.name)?, role))
    });
    let roles: BTreeMap<u32, &'static str> = nodes.collect();
    let load = load_of(&condition, times);
    let folder = tempfile::tempdir().map_err(|e| ProfileError::Perf(e.to_string()))?;
    let file = folder.path().join("perf.data");
    let recording = async {
        sleep(times.0).await;
        record(roles.keys().copied(), times.1, &file)
    };
    let (report, recording) = join(load::run(topology, &load), recording).await;
    let report = report.map_err(LabError::from)?;
    finish("perf record", recording?.wait_with_output())?;
    let samples = samples::parse(&script(&file)?);
    if samples.is_empty() {
        return Err(ProfileError::Perf("it took no samples".to_owned()));
    }
    Ok(make(condition, &samples, &roles, &report))
}

const HUBS: &str = "hubs";
const INITIATOR: &str = "initiator";
const RESPONDER: &str = "responder";

fn role_name(role: Role, name: &NodeName) -> &'static str {
    match role {
        Role::Hub => HUBS,
        Role::Client if name.as_str() == MASTER => INITIATOR,
        Role::Client => RESPONDER,
    }
}

fn record(
    pids: impl Iterator<Item = u32>,
    time: Duration,
    file: &Path,
) -> Result<Child, ProfileError> {
    let pids: Vec<String> = pids.map(|pid| pid.to_string()).collect();
    Command::new("perf")
        .args(["record", "-q", "-e", "cpu-clock", "-F", FREQUENCY])
        .args(["--call-graph", CALL_GRAPH, "-p", &pids.join(",")])
        .arg("-o")
        .arg(file)
        .args(["--", "sleep", &time.as_secs_f64().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| ProfileError::Perf(e.to_string()))
}

fn script(file: &Path) -> Result<String, ProfileError> {
    let output = Command::new("perf")
        .args(["script", "--no-inline", "-F", "pid,ip,sym", "-i"])
        .arg(file)
        .stdin(Stdio::null())
        .output();
    let output = finish("perf script", output)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn finish(what: &str, output: std::io::Result<Output>) -> Result<Output, ProfileError> {
    let output = output.map_err(|e| ProfileError::Perf(e.to_string()))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().find(|line| !line.trim().is_empty());
    let said = said.unwrap_or("nothing");
    let status = output.status;
    Err(ProfileError::Perf(format!(
        "{what} ended with {status} and says: {said}"
    )))
}

/// CPU time is what the processes say that they have used; samples divide it up.
fn make(
    condition: Condition,
    samples: &[Sample],
    roles: &BTreeMap<u32, &'static str>,
    report: &LoadReport,
) -> Profile {
    let of_role = |role: &str| {
        let of = samples.iter().filter(|s| roles.get(&s.pid) == Some(&role));
        let nodes = report.nodes.iter();
        let nodes = nodes.filter(|node| role_name(node.role, &node.name) == role);
        let cpu_s: f64 = nodes.filter_map(|node| node.cpu_s).sum();
        let cpu_us_per_key = cpu_s * 1e6 / report.keys.max(1) as f64;
        role_profile(role, &of.collect::<Vec<_>>(), cpu_us_per_key)
    };
    let is_kernel = |sample: &Sample| sample.stack.first().is_some_and(|f| f.is_kernel());
    Profile {
        condition,
        samples: samples.len() as u64,
        kernel_seen: samples.iter().any(is_kernel),
        roles: [HUBS, INITIATOR, RESPONDER].map(of_role).into(),
    }
}

fn role_profile(role: &str, samples: &[&Sample], cpu_us_per_key: f64) -> RoleProfile {
    let us_each = cpu_us_per_key / samples.len().max(1) as f64;
    let mut us_per_key = BTreeMap::new();
    let mut functions = BTreeMap::new();
    for sample in samples {
        let category = classify::category(&sample.stack);
        *us_per_key.entry(category.to_owned()).or_insert(0.0) += us_each;
        if let Some(innermost) = sample.stack.first() {
            let key = (innermost.name.clone(), category);
            *functions.entry(key).or_insert(0.0) += us_each;
        }
    }
    let functions = functions.into_iter();
    let mut functions: Vec<Function> = functions
        .map(|((name, category), us_per_key)| Function {
            name,
            category: category.to_owned(),
            us_per_key,
        })
        .collect();
    functions.sort_by(|a, b| b.us_per_key.total_cmp(&a.us_per_key));
    functions.truncate(FUNCTIONS);
    RoleProfile {
        role: role.to_owned(),
        us_per_key,
        functions,
    }
}

#[cfg(test)]
mod tests {
    use super::rules::{CRYPTO, KERNEL};
    use super::samples::Frame;
    use super::*;

    #[test]
    fn the_time_of_a_role_is_divided_by_its_samples() {
        let sample = |address, name: &str| Sample {
            pid: 1,
            stack: vec![Frame {
                address,
                name: name.to_owned(),
            }],
        };
        let samples = [
            sample(1, "dske::crypto::shamir::split"),
            sample(1, "dske::crypto::shamir::split"),
            sample(1, "dske::crypto::mac::tag"),
            sample(u64::MAX - 1, "tcp_sendmsg"),
        ];
        let all: Vec<&Sample> = samples.iter().collect();
        let profile = role_profile(HUBS, &all, 100.0);
        assert_eq!(profile.us_per_key[CRYPTO], 75.0);
        assert_eq!(profile.us_per_key[KERNEL], 25.0);
        assert_eq!(profile.functions[0].us_per_key, 50.0);
        assert_eq!(profile.functions[0].name, "dske::crypto::shamir::split");
        assert_eq!(profile.functions.len(), 3);
    }

    #[test]
    fn without_samples_nothing_is_divided() {
        let profile = role_profile(HUBS, &[], 100.0);
        assert!(profile.us_per_key.is_empty() && profile.functions.is_empty());
    }
}

//! Where the CPU time of a key goes: `perf` samples all node processes while they are under load.
//!
//! | file | what it does |
//! |---|---|
//! | `stacks` | folds what `perf script` prints |
//! | `classify` | finds the category of a sample |
//! | `rules` | lists the categories, and the functions of each |

mod classify;
pub(super) mod rules;
mod stacks;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use dske::protocol::NodeName;
use dske::topology::Role;
use futures_util::future::join;
use tokio::time::sleep;

use super::condition::Condition;
use super::data::{Function, Profile, RoleProfile};
use super::lab::{LabError, MASTER, Programs, load_of, topology, wait_until_provisioned};
use super::plan::{BASE, LARGE, MANY};
use crate::Cluster;
use crate::load::{self, LoadReport};
use crate::process::ProcessCluster;
use stacks::{FIELDS, Stack, fold, is_kernel};

/// Samples for each second of CPU time. A prime, so that samples do not fall in step with anything periodic.
const FREQUENCY: &str = "997";

/// Stacks are unwound with the tables that the compiler emits anyway, from a copy of their top 8 KiB.
const CALL_GRAPH: &str = "dwarf,8192";

/// Functions that the report names for each role.
const FUNCTIONS: usize = 12;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProfileError {
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("perf cannot be started: {0}")]
    Start(#[from] io::Error),
    #[error("perf {what} ended with {status} and reports: {says}")]
    Perf {
        what: &'static str,
        status: std::process::ExitStatus,
        says: String,
    },
    #[error("perf took no samples")]
    NoSamples,
}

/// The conditions with targets, except for concurrency 1, at which the cores mostly wait.
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
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("perf.data");
    let recording = async {
        sleep(times.0).await;
        record(roles.keys().copied(), times.1, &file)
    };
    let (report, recording) = join(load::run(topology, &load), recording).await;
    let report = report.map_err(LabError::from)?;
    finish("record", recording?.wait_with_output()?)?;
    let stacks = fold(&script(&file)?)?;
    if stacks.is_empty() {
        return Err(ProfileError::NoSamples);
    }
    Ok(make(condition, &stacks, &roles, &report))
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

fn record(pids: impl Iterator<Item = u32>, time: Duration, file: &Path) -> io::Result<Child> {
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
}

fn script(file: &Path) -> Result<Vec<u8>, ProfileError> {
    let output = Command::new("perf")
        .args(["script", "--no-inline", "-F", FIELDS, "-i"])
        .arg(file)
        .stdin(Stdio::null())
        .output()?;
    Ok(finish("script", output)?.stdout)
}

fn finish(what: &'static str, output: Output) -> Result<Output, ProfileError> {
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().find(|line| !line.trim().is_empty());
    Err(ProfileError::Perf {
        what,
        status: output.status,
        says: said.unwrap_or("nothing").to_owned(),
    })
}

/// The processes themselves report how much CPU time they used; samples only divide it up.
fn make(
    condition: Condition,
    stacks: &[Stack],
    roles: &BTreeMap<u32, &'static str>,
    report: &LoadReport,
) -> Profile {
    let of_role = |role: &str| {
        let of = stacks.iter().filter(|s| roles.get(&s.pid) == Some(&role));
        let nodes = report.nodes.iter();
        let nodes = nodes.filter(|node| role_name(node.role, &node.name) == role);
        let cpu_s: f64 = nodes.filter_map(|node| node.cpu_s).sum();
        let cpu_us_per_key = cpu_s * 1e6 / report.keys.max(1) as f64;
        role_profile(role, &of.collect::<Vec<_>>(), cpu_us_per_key)
    };
    Profile {
        condition,
        samples: stacks.iter().map(|stack| stack.samples).sum(),
        kernel_seen: stacks.iter().any(|s| s.frames.iter().any(|f| is_kernel(f))),
        roles: [HUBS, INITIATOR, RESPONDER].map(of_role).into(),
    }
}

fn role_profile(role: &str, stacks: &[&Stack], cpu_us_per_key: f64) -> RoleProfile {
    let samples: u64 = stacks.iter().map(|stack| stack.samples).sum();
    let us_each = cpu_us_per_key / samples.max(1) as f64;
    let mut us_per_key = BTreeMap::new();
    let mut functions = BTreeMap::new();
    for stack in stacks {
        let us = us_each * stack.samples as f64;
        let category = classify::category(&stack.frames);
        *us_per_key.entry(category.to_owned()).or_insert(0.0) += us;
        if let Some(innermost) = stack.frames.first() {
            let key = (innermost.clone(), category);
            *functions.entry(key).or_insert(0.0) += us;
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
    use super::*;

    #[test]
    fn the_time_of_a_role_is_divided_by_its_samples() {
        let stack = |samples, name: &str| Stack {
            pid: 1,
            samples,
            frames: vec![name.to_owned()],
        };
        let stacks = [
            stack(2, "dske::crypto::shamir::split"),
            stack(1, "dske::crypto::mac::tag"),
            stack(1, "tcp_sendmsg_[k]"),
        ];
        let all: Vec<&Stack> = stacks.iter().collect();
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

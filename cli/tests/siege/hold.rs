//! Lays siege to a cluster and measures how honest SAEs fare.

use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_rt::time::sleep;
use dske::topology::Topology;
use dske_testbed::Cluster;
use dske_testbed::load::{Arrivals, Load, Pair, run};
use dske_testbed::process::ProcessCluster;

/// One siege at a time, so that none disturbs another.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Descriptors that each node may have.
pub(crate) const DESCRIPTORS: usize = 512;

/// How long honest SAEs are watched.
const WATCHED_FOR: Duration = Duration::from_secs(6);

/// How long the attack lasts before.
const HEAD_START: Duration = Duration::from_secs(2);

/// Operations of honest SAEs per second. Each is two calls.
const HONEST_PER_SECOND: f64 = 20.0;

/// What an attacker knows: where all nodes are, and when the siege is over.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) topology: Topology,
    over: Arc<AtomicBool>,
}

impl Target {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn address(&self, node: &str) -> &str {
        self.topology.address(&node.parse().unwrap()).unwrap()
    }
}

/// A siege: mallory's KME serves `mallory` and `mona`, bob's and carol's have one SAE each.
pub(crate) struct Siege {
    /// Lines of the topology, besides its nodes.
    pub(crate) settings: &'static str,
    /// Masters and slaves that go on getting keys.
    pub(crate) honest: &'static [(&'static str, &'static str)],
    /// Bits of each of their keys.
    pub(crate) size_bits: usize,
    /// The node whose memory is watched.
    pub(crate) watched: &'static str,
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Held {
    /// Operations of honest SAEs that succeeded, of all.
    pub(crate) success: f64,
    /// MiB that the watched node took at most beyond what it had before.
    pub(crate) grew_by_mib: f64,
}

impl Siege {
    /// Runs an attack, in a thread of its own, and honest SAEs beside it.
    pub(crate) fn lay<F: Future<Output = ()>>(
        &self,
        attack: impl FnOnce(Target) -> F + Send + 'static,
    ) -> Held {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        actix_rt::System::new().block_on(self.measure(attack))
    }

    async fn measure<F: Future<Output = ()>>(
        &self,
        attack: impl FnOnce(Target) -> F + Send + 'static,
    ) -> Held {
        let folder = tempfile::tempdir().unwrap();
        let program = few_descriptors(folder.path());
        let cluster = ProcessCluster::start(&program, &self.topology()).await;
        let cluster = cluster.unwrap();
        let topology = cluster.topology().clone();
        let target = Target {
            topology: topology.clone(),
            over: Arc::default(),
        };
        let process = cluster.process_id(&self.watched.parse().unwrap()).unwrap();
        let before = resident_mib(process);
        let peak = Rc::new(std::cell::Cell::new(before));
        let watching = actix_rt::spawn({
            let peak = Rc::clone(&peak);
            async move {
                loop {
                    peak.set(resident_mib(process).max(peak.get()));
                    sleep(Duration::from_millis(50)).await;
                }
            }
        });

        let attacker = std::thread::spawn({
            let target = target.clone();
            move || actix_rt::System::new().block_on(attack(target))
        });
        let pairs = self.honest.iter().map(|(master, slave)| Pair {
            master: master.parse().unwrap(),
            slave: slave.parse().unwrap(),
        });
        sleep(HEAD_START).await;
        let load = Load {
            pairs: pairs.collect(),
            arrivals: Arrivals::Open {
                per_second: HONEST_PER_SECOND,
                in_flight_max: 1_000,
            },
            size_bits: self.size_bits,
            keys_per_call: 1,
            warm_up: Duration::ZERO,
            duration: WATCHED_FOR,
        };
        let report = run(&topology, &load).await.unwrap();
        target.over.store(true, Ordering::Relaxed);
        attacker.join().unwrap();
        watching.abort();

        let failed = report.errors_total();
        let held = Held {
            success: report.operations as f64 / (report.operations + failed) as f64,
            grew_by_mib: peak.get() - before,
        };
        println!(
            "{held:?}, {} operations, {:?}",
            report.operations, report.first_errors
        );
        held
    }

    fn topology(&self) -> String {
        format!(
            r#"
            threshold = 2
            hubs = [{{ name = "h1" }}, {{ name = "h2" }}, {{ name = "h3" }}]
            clients = [{{ name = "bob" }}, {{ name = "carol" }}, {{ name = "mallory", saes = ["mallory", "mona"] }}]
            {}
            "#,
            self.settings
        )
    }
}

/// The command, run with few descriptors.
fn few_descriptors(folder: &Path) -> PathBuf {
    let binary = std::env::var("DSKE_BINARY");
    let binary = binary.unwrap_or_else(|_| env!("CARGO_BIN_EXE_dske").to_owned());
    let script = folder.join("dske");
    let text = format!("#!/bin/sh\nulimit -n {DESCRIPTORS}\nexec '{binary}' \"$@\"\n");
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    script
}

fn resident_mib(process: u32) -> f64 {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages: f64 = statm.split(' ').nth(1).map_or(0.0, |n| n.parse().unwrap());
    pages * rustix::param::page_size() as f64 / f64::from(1 << 20)
}

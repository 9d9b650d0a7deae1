//! A closed loop over anything that gives keys. The load generator of `dske` reaches only nodes of a topology over HTTP; this
//! one serves actors and bare routes.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::data::Run;
use crate::latencies::{self, Latencies};
use crate::load::Pair;
use crate::{CallError, Cluster, KeyRequest};

/// Keeps `concurrency` operations in flight, each of which gives `keys_per_operation` keys, and counts those that end within
/// `duration` after the warm-up.
pub(crate) async fn run(
    concurrency: usize,
    (keys_per_operation, size_bits): (usize, usize),
    (warm_up, duration): (Duration, Duration),
    operation: impl AsyncFn() -> Result<(), String>,
) -> Run {
    let histogram = RefCell::new(latencies::histogram());
    let (done, errors, first_error) = (Cell::new(0_u64), Cell::new(0_u64), RefCell::new(None));
    let from = Instant::now() + warm_up;
    let until = from + duration;
    let place = async || {
        loop {
            let begun = Instant::now();
            if begun >= until {
                return;
            }
            let result = operation().await;
            let ended = Instant::now();
            if ended < from || ended >= until {
                continue;
            }
            match result {
                Ok(()) => {
                    done.set(done.get() + 1);
                    let us = u64::try_from((ended - begun).as_micros()).unwrap_or(u64::MAX);
                    histogram.borrow_mut().saturating_record(us.max(1));
                }
                Err(error) => {
                    errors.set(errors.get() + 1);
                    first_error.borrow_mut().get_or_insert(error);
                }
            }
        }
    };
    join_all((0..concurrency).map(|_| place())).await;
    let keys = done.get() * keys_per_operation as u64;
    let latencies = Latencies::of(&histogram.borrow());
    Run {
        errors: errors.get(),
        first_error: first_error.into_inner(),
        ..Run::new(keys, duration.as_secs_f64(), size_bits, &latencies)
    }
}

/// The master gets keys, the slave gets the same keys by their IDs, and both are compared.
pub(crate) async fn both_calls(
    cluster: &impl Cluster,
    Pair { master, slave }: &Pair,
    request: &KeyRequest,
) -> Result<(), String> {
    let told = |error: CallError| error.to_string();
    let given = cluster
        .get_key(master, slave, request)
        .await
        .map_err(told)?;
    let ids = given.keys.iter().map(|key| key.key_ID.parse());
    let ids: Result<Vec<_>, _> = ids.collect();
    let ids = ids.map_err(|_| "a key ID is no UUID".to_owned())?;
    let fetched = cluster.get_key_with_ids(slave, master, &ids).await;
    if fetched.map_err(told)? == given {
        Ok(())
    } else {
        Err("the two sides have different keys".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

    #[tokio::test(start_paused = true)]
    async fn operations_that_end_within_the_time_are_counted() {
        let run = run(4, (2, 256), TIMES, async || {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(())
        })
        .await;
        // 100 operations at each of 4 places, give or take the last one, of 2 keys.
        assert!((780..=800).contains(&run.keys), "{}", run.keys);
        assert!((9.9..11.5).contains(&run.p50_ms), "{}", run.p50_ms);
        assert_eq!((run.errors, run.first_error), (0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_counted_and_the_first_is_told() {
        let run = run(1, (1, 256), TIMES, async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Err("refused".to_owned())
        })
        .await;
        assert_eq!((run.keys, run.errors), (0, 3));
        assert_eq!(run.first_error.as_deref(), Some("refused"));
    }
}

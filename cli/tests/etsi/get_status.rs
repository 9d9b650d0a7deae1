//! Clauses 5.2 and 6.1.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::shared::{Kmes, refused, with_kmes};

fn count(status: &Value, name: &str) -> u64 {
    let value = status[name].as_u64();
    value.unwrap_or_else(|| panic!("{name} is a whole number in {status}"))
}

/// The status of a pair of SAEs that no other test uses, once it has stopped changing by itself.
pub(crate) async fn settled(kmes: &Kmes, master: &str, slave: &str) -> Value {
    let mut last = Value::Null;
    for _ in 0..50 {
        let status = kmes.status(master, slave).await;
        if status == last {
            return status;
        }
        last = status;
        actix_rt::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("PSRD keeps coming in");
}

/// Clauses 5.2 (Table 3) and 6.1 (Table 9).
#[test]
fn a_status_has_all_that_table_9_wants_and_its_numbers_go_together() {
    with_kmes(async |kmes| {
        let status = kmes.status("carol", "celia").await;
        for (name, wanted) in [
            ("source_KME_ID", "carol"),
            ("target_KME_ID", "celia"),
            ("master_SAE_ID", "carol"),
            ("slave_SAE_ID", "celia"),
        ] {
            assert_eq!(status[name], wanted, "{name}");
        }
        let size = count(&status, "key_size");
        assert!(0 < count(&status, "min_key_size") && count(&status, "min_key_size") <= size);
        assert!(size <= count(&status, "max_key_size"));
        assert!(count(&status, "stored_key_count") <= count(&status, "max_key_count"));
        assert!(count(&status, "max_key_per_request") >= 1);
        assert_eq!(count(&status, "max_SAE_ID_count"), 15);
        // No extension, since that would have to be an object.
        assert_eq!(status.as_object().unwrap().len(), 11, "{status}");
        // The KME ID is the KME's, not the SAE's.
        let twin = kmes.status("east", "celia").await;
        assert_eq!(twin["source_KME_ID"], "twin");
        assert_eq!(twin["master_SAE_ID"], "east");
    });
}

/// Clauses 4 and 6.1.
#[test]
fn kme_ids_are_each_others_mirror_image_and_differ_between_kmes() {
    with_kmes(async |kmes| {
        let saes = ["carol", "celia", "cindy", "east", "west"];
        for a in saes {
            for b in saes {
                let (there, back) = (kmes.status(a, b).await, kmes.status(b, a).await);
                assert_eq!(there["source_KME_ID"], back["target_KME_ID"]);
                assert_eq!(there["target_KME_ID"], back["source_KME_ID"]);
                let same = kmes.home(a) == kmes.home(b);
                assert_eq!(there["source_KME_ID"] == there["target_KME_ID"], same);
            }
        }
    });
}

/// Table 4.
#[test]
fn the_status_of_an_unknown_slave_is_refused() {
    with_kmes(async |kmes| {
        let answer = kmes.call("GET", "carol", "nobody/status", "").await;
        refused(&answer, 400, "nobody");
        assert!(answer.body.get("slave_SAE_ID").is_none());
    });
}

/// Clause 5.2 Table 3 (post-condition "none"), clause 5.3: only deliveries lower the number of stored keys.
#[test]
fn a_status_takes_no_key_and_a_delivery_takes_its_keys() {
    with_kmes(async |kmes| {
        kmes.get_key("connie", "celia").await;
        let before = settled(kmes, "connie", "celia").await;
        for _ in 0..20 {
            assert_eq!(kmes.status("connie", "celia").await, before);
        }
        let stored = count(&before, "stored_key_count");
        assert!(stored >= 100, "one block of PSRD is more than 100 keys");
        kmes.get_keys("connie", "celia", json!({"number": 50}))
            .await;
        let after = count(&kmes.status("connie", "celia").await, "stored_key_count");
        assert!(after < stored, "{after} of {stored}");
    });
}

/// Clause 6.1: both sides are given what a status promises.
#[test]
fn the_smallest_the_largest_and_the_most_keys_are_delivered() {
    with_kmes(async |kmes| {
        let status = kmes.status("carol", "celia").await;
        for (number, size) in [
            (1, count(&status, "min_key_size")),
            (1, count(&status, "max_key_size")),
            (
                count(&status, "max_key_per_request"),
                count(&status, "key_size"),
            ),
            (
                count(&status, "max_key_per_request"),
                count(&status, "min_key_size"),
            ),
        ] {
            let request = json!({"number": number, "size": size});
            let keys = kmes.get_keys("carol", "celia", request).await;
            assert_eq!(keys.len() as u64, number);
            assert!(keys.iter().all(|key| key.bytes.len() as u64 * 8 == size));
            kmes.fetch_all("celia", "carol", &keys).await;
        }
    });
}

/// Clauses 6.1 and 5.3: the largest number of the largest keys does not fit into one message to a hub. The call is
/// refused at once, with a number that does fit.
#[test]
fn the_most_of_the_largest_keys_are_refused_at_once_and_as_many_as_is_said_are_delivered() {
    with_kmes(async |kmes| {
        let status = kmes.status("cindy", "celia").await;
        let size = count(&status, "max_key_size");
        let most = json!({"number": status["max_key_per_request"], "size": size});
        let begun = Instant::now();
        let answer = kmes
            .call("POST", "cindy", "celia/enc_keys", &most.to_string())
            .await;
        refused(&answer, 400, "the most of the largest");
        assert!(begun.elapsed() < Duration::from_secs(1), "not a time-out");
        let (_, said) = answer.message().split_once("at most ").unwrap();
        let number: usize = said.split(' ').next().unwrap().parse().unwrap();
        let request = json!({"number": number, "size": size});
        let keys = kmes.get_keys("cindy", "celia", request).await;
        assert_eq!(keys.len(), number);
        kmes.fetch_all("celia", "cindy", &keys).await;
    });
}

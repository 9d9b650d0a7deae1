//! Clauses 6.1 (`max_SAE_ID_count`) and 6.2 (`additional_slave_SAE_IDs`).

use serde_json::{Value, json};

use crate::shared::{refused, with_kmes};

/// Clauses 6.2, 5.4, Annex B: the master, the slave and every listed SAE, each at its own KME, each once.
#[test]
fn a_key_for_a_group_reaches_each_member_once_at_its_own_kme() {
    with_kmes(async |kmes| {
        let request = json!({"additional_slave_SAE_IDs": ["cindy", "east", "west"], "number": 2});
        let given = kmes.get_keys("carol", "celia", request).await;
        for member in ["west", "celia", "cindy", "east"] {
            kmes.fetch_all(member, "carol", &given).await;
            let again = kmes.fetch(member, "carol", &[&given[0].id]).await;
            refused(&again, 400, member);
        }
    });
}

/// Clause 5.4.
#[test]
fn who_is_listed_for_one_key_only_gets_401_for_it_with_another() {
    with_kmes(async |kmes| {
        let group = json!({"additional_slave_SAE_IDs": ["cindy"]});
        let shared = kmes.get_keys("carol", "celia", group).await.remove(0);
        let alone = kmes.get_key("carol", "celia").await;
        for (sae, ids) in [
            ("cindy", vec![&shared.id, &alone.id]),
            ("cindy", vec![&alone.id, &shared.id]),
            ("east", vec![&shared.id]),
        ] {
            let ids: Vec<&str> = ids.into_iter().map(String::as_str).collect();
            let answer = kmes.fetch(sae, "carol", &ids).await;
            assert_eq!(answer.status, 401, "{sae}: {}", answer.text);
            assert!(answer.body.get("keys").is_none());
        }
        kmes.fetch_all("cindy", "carol", std::slice::from_ref(&shared))
            .await;
        kmes.fetch_all("celia", "carol", &[shared, alone]).await;
    });
}

/// Clauses 6.1 and 6.2.
#[test]
fn a_group_that_is_no_list_of_known_saes_or_too_large_is_400() {
    with_kmes(async |kmes| {
        let status = kmes.status("carol", "celia").await;
        let max = status["max_SAE_ID_count"].as_u64().unwrap();
        let too_many: Vec<Value> = (0..=max).map(|n| json!(format!("sae-{n}"))).collect();
        for list in [
            json!("cindy"),
            json!({"0": "cindy"}),
            json!([1]),
            json!(["cindy", null]),
            json!([["cindy"]]),
            json!(["nobody"]),
            json!(["cindy", "nobody"]),
            json!(["cin dy"]),
            json!([""]),
            json!(too_many),
        ] {
            let body = json!({"additional_slave_SAE_IDs": list}).to_string();
            let answer = kmes.call("POST", "carol", "celia/enc_keys", &body).await;
            refused(&answer, 400, &body);
        }
        for nobody_else in [json!([]), json!(null)] {
            let request = json!({"additional_slave_SAE_IDs": nobody_else});
            let key = kmes.get_keys("carol", "celia", request).await;
            kmes.fetch_all("celia", "carol", &key).await;
        }
    });
}

/// Clause 6.2: a list is a set of SAEs. Who is in it twice, or in the path as well, is meant once.
#[test]
fn who_is_named_twice_is_a_member_once() {
    with_kmes(async |kmes| {
        let status = kmes.status("carol", "celia").await;
        let max = status["max_SAE_ID_count"].as_u64().unwrap() as usize;
        let mut list = vec!["cindy"; max];
        list.extend(["celia", "celia"]);
        let request = json!({"additional_slave_SAE_IDs": list});
        let key = kmes.get_keys("carol", "celia", request).await;
        for member in ["celia", "cindy"] {
            kmes.fetch_all(member, "carol", &key).await;
            let again = kmes.fetch(member, "carol", &[&key[0].id]).await;
            refused(&again, 400, "once");
        }
    });
}

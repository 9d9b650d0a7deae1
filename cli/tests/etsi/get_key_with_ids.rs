//! Clauses 5.4 and 6.4.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::shared::{UNKNOWN_ID, keys, refused, with_kmes};

const NOT_FOUND: &str = "one or more keys specified are not found on KME";

/// Clauses 4 (step 3), 5.4, 6.3 and 6.4.
#[test]
fn the_slave_gets_the_same_keys_under_the_same_ids_by_get_and_by_post() {
    with_kmes(async |kmes| {
        let given = kmes.get_keys("carol", "celia", json!({"number": 4})).await;
        let path = format!("carol/dec_keys?key_ID={}", given[0].id);
        let answer = kmes.call("GET", "celia", &path, "").await;
        assert_eq!(keys(&answer), given[..1]);
        // In another order, and not all of them: exactly these are returned, each once.
        let body = json!({
            "key_IDs": [
                {"key_ID": given[3].id, "key_ID_extension": {"any": null}, "other": []},
                {"key_ID": given[1].id},
            ],
            "key_IDs_extension": {"any": [1]},
        });
        let answer = kmes
            .call("POST", "celia", "carol/dec_keys", &body.to_string())
            .await;
        let got: BTreeSet<_> = keys(&answer).into_iter().collect();
        assert_eq!(got, BTreeSet::from([given[3].clone(), given[1].clone()]));
        assert_eq!(keys(&answer).len(), 2);
        kmes.fetch_all("celia", "carol", &given[2..3]).await;
    });
}

/// Clause 6.1, applied to clause 6.4.
#[test]
fn as_many_key_ids_are_taken_as_keys_are_given() {
    with_kmes(async |kmes| {
        // From two calls, so that the limit is on the IDs.
        let mut given = kmes
            .get_keys("carol", "celia", json!({"number": 100}))
            .await;
        given.extend(kmes.get_keys("carol", "celia", json!({"number": 28})).await);
        kmes.fetch_all("celia", "carol", &given).await;
    });
}

/// Clause 6.4; clause 5.4 (post-condition: keys provided are removed, and no others).
#[test]
fn one_unknown_key_fails_the_whole_request_and_leaves_the_others() {
    with_kmes(async |kmes| {
        let given = kmes.get_keys("carol", "celia", json!({"number": 2})).await;
        for ids in [
            vec![UNKNOWN_ID],
            vec![UNKNOWN_ID, &given[0].id],
            vec![&given[0].id, &given[1].id, UNKNOWN_ID],
        ] {
            let answer = kmes.fetch("celia", "carol", &ids).await;
            refused(&answer, 400, "an unknown key");
            assert_eq!(answer.message(), NOT_FOUND);
            assert_eq!(answer.body["details"][0]["key_ID"], UNKNOWN_ID);
        }
        kmes.fetch_all("celia", "carol", &given).await;
    });
}

/// Clause 5.4 (post-condition).
#[test]
fn a_key_is_given_to_its_slave_once() {
    with_kmes(async |kmes| {
        let given = kmes.get_keys("carol", "celia", json!({"number": 2})).await;
        kmes.fetch_all("celia", "carol", &given[..1]).await;
        for ids in [vec![given[0].id.as_str()], vec![&given[0].id, &given[1].id]] {
            let answer = kmes.fetch("celia", "carol", &ids).await;
            refused(&answer, 400, "again");
            assert_eq!(answer.message(), NOT_FOUND);
        }
        kmes.fetch_all("celia", "carol", &given[1..]).await;
    });
}

/// Clause 5.4 (post-condition).
#[test]
fn of_concurrent_fetches_of_one_key_exactly_one_wins() {
    with_kmes(async |kmes| {
        for _ in 0..5 {
            let key = kmes.get_key("carol", "celia").await;
            let ids = [key.id.as_str()];
            let answers = join_all((0..12).map(|_| kmes.fetch("celia", "carol", &ids))).await;
            let (won, lost): (Vec<_>, Vec<_>) =
                answers.iter().partition(|answer| answer.status == 200);
            assert_eq!(won.len(), 1);
            assert_eq!(keys(won[0]), std::slice::from_ref(&key));
            for answer in lost {
                refused(answer, 400, "a fetch that came second");
            }
        }
    });
}

/// Clauses 4, 5.4 and 6.4 (Table 12).
#[test]
fn what_is_no_list_of_key_ids_is_400() {
    with_kmes(async |kmes| {
        let good = json!({"key_ID": UNKNOWN_ID}).to_string();
        let bodies = [
            "{}".to_owned(),
            "{\"key_IDs\": []}".to_owned(),
            "{\"key_IDs\": {}}".to_owned(),
            "{\"key_IDs\": null}".to_owned(),
            format!("{{\"key_IDs\": {good}}}"),
            format!("{{\"key_IDs\": [\"{UNKNOWN_ID}\"]}}"),
            "{\"key_IDs\": [{}]}".to_owned(),
            "{\"key_IDs\": [{\"key_ID\": 1}]}".to_owned(),
            "{\"key_IDs\": [{\"key_ID\": null}]}".to_owned(),
            "{\"key_IDs\": [{\"key_ID\": \"\"}]}".to_owned(),
            "{\"key_IDs\": [{\"key_ID\": \"not-a-uuid\"}]}".to_owned(),
            format!("{{\"key_IDs\": [{{\"key_ID\": \"{{{UNKNOWN_ID}}}\"}}]}}"),
            format!(
                "{{\"key_IDs\": [{{\"key_ID\": \"{}\"}}]}}",
                UNKNOWN_ID.replace('-', "")
            ),
            format!("{{\"key_IDs\": [{{\"key_ID\": \"{UNKNOWN_ID}\", \"key_ID_extension\": 1}}]}}"),
            format!("{{\"key_IDs\": [{{\"key_ID\": \"{UNKNOWN_ID}\", \"x\": 1}}]}}"),
            format!("{{\"key_IDs\": [{good}], \"key_IDs_extension\": []}}"),
            format!("{{\"key_IDs\": [{good}], \"x\": 1}}"),
            format!("{{\"key_IDs\": [{good}], \"key_IDs\": [{good}]}}"),
            format!("[{good}]"),
            format!("{{\"key_IDs\": [{good}]"),
            String::new(),
            "null".to_owned(),
        ];
        for body in bodies {
            let answer = kmes.call("POST", "celia", "carol/dec_keys", &body).await;
            refused(&answer, 400, &body);
        }
        for query in [
            String::new(),
            "?key_ID=".to_owned(),
            "?key_ID=nope".to_owned(),
            "?key_id=x".to_owned(),
            format!("?key_ID={UNKNOWN_ID}&key_ID={UNKNOWN_ID}"),
            format!("?key_ID={UNKNOWN_ID}&key_ID_extension=x"),
            format!("?key_IDs={UNKNOWN_ID}"),
        ] {
            let path = format!("carol/dec_keys{query}");
            refused(&kmes.call("GET", "celia", &path, "").await, 400, &path);
        }
    });
}

/// RFC 4122 section 3: input is not case-sensitive. The same ID twice would ask for one key twice (clause 6.4).
#[test]
fn a_key_id_may_be_in_upper_case_but_not_doubled() {
    with_kmes(async |kmes| {
        let key = kmes.get_key("carol", "celia").await;
        let upper = key.id.to_uppercase();
        for twice in [[&key.id, &key.id], [&key.id, &upper]] {
            let answer = kmes
                .fetch("celia", "carol", &twice.map(String::as_str))
                .await;
            refused(&answer, 400, "twice");
            assert!(answer.message().contains("twice"), "{}", answer.text);
        }
        let answer = kmes.fetch("celia", "carol", &[&upper]).await;
        assert_eq!(keys(&answer), [key]);
    });
}

/// Clause 5.4: 401 for the whole request, without any key used up.
#[test]
fn an_sae_that_is_not_named_for_every_key_gets_401_and_uses_nothing_up() {
    with_kmes(async |kmes| {
        let for_celia = kmes.get_keys("carol", "celia", json!({"number": 2})).await;
        let for_west = kmes.get_key("carol", "west").await;
        let for_cindy = kmes.get_key("carol", "cindy").await;
        let celias = for_celia[0].id.as_str();
        for (stranger, ids) in [
            ("cindy", vec![celias]),
            // An SAE that is named for one of them only.
            ("cindy", vec![&for_cindy.id, celias]),
            ("cindy", vec![celias, &for_cindy.id]),
            // A stranger at the KME of another SAE that is named.
            ("east", vec![&for_west.id]),
            // The master itself.
            ("carol", vec![celias]),
        ] {
            let answer = kmes.fetch(stranger, "carol", &ids).await;
            assert_eq!(answer.status, 401, "{stranger} {ids:?}: {}", answer.text);
            assert!(answer.header("www-authenticate").is_some());
            assert!(answer.body.get("keys").is_none());
        }
        kmes.fetch_all("celia", "carol", &for_celia).await;
        kmes.fetch_all("west", "carol", &[for_west]).await;
        kmes.fetch_all("cindy", "carol", &[for_cindy]).await;
    });
}

/// Clause 5.4 (Table 7).
#[test]
fn with_another_master_in_the_path_a_key_is_refused_and_not_used_up() {
    with_kmes(async |kmes| {
        let key = kmes.get_key("carol", "celia").await;
        for master in ["cindy", "celia", "nobody"] {
            let path = format!("{master}/dec_keys");
            let body = json!({"key_IDs": [{"key_ID": key.id}]}).to_string();
            let answer = kmes.call("POST", "celia", &path, &body).await;
            refused(&answer, 400, master);
            assert_eq!(answer.body.get("keys"), None::<&Value>);
        }
        kmes.fetch_all("celia", "carol", &[key]).await;
    });
}

//! Clauses 5.3, 6.2 and 6.3.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::get_status::settled;
use crate::shared::{Key, keys, refused, with_kmes};

/// Clauses 5.3 (Table 5) and 6.3 (Table 11); RFC 4648 section 4.
#[test]
fn a_key_container_is_as_table_11_wants_it() {
    with_kmes(async |kmes| {
        let answer = kmes.call("GET", "carol", "celia/enc_keys", "").await;
        assert_eq!(answer.status, 200);
        let container = answer.body.as_object().unwrap();
        assert_eq!(container.keys().collect::<Vec<_>>(), ["keys"]);
        let keys = container["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1, "an array also for one key");
        let key = keys[0].as_object().unwrap();
        assert_eq!(key.keys().collect::<Vec<_>>(), ["key", "key_ID"]);
        let id = key["key_ID"].as_str().unwrap();
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
        assert!(id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-')));
        let text = key["key"].as_str().unwrap();
        assert_eq!(text.len(), 44, "256 bits, padded");
        assert!(text.ends_with('=') && !text.contains(['-', '_', '\n', '\r']));
    });
}

/// Clauses 6.1, 6.2 and 6.3.
#[test]
fn number_and_size_are_what_was_asked_for_or_their_defaults() {
    with_kmes(async |kmes| {
        let default_bits = kmes.status("carol", "celia").await["key_size"].clone();
        let default_bytes = default_bits.as_u64().unwrap() as usize / 8;
        for (query, body, number, bytes) in [
            ("", json!({}), 1, default_bytes),
            ("?number=3", json!({"number": 3}), 3, default_bytes),
            ("?size=512", json!({"size": 512}), 1, 64),
            ("?number=2&size=72", json!({"number": 2, "size": 72}), 2, 9),
            ("?size=%31%32%38", json!({"size": 128}), 1, 16),
        ] {
            let path = format!("celia/enc_keys{query}");
            let by_get = kmes.call("GET", "carol", &path, "").await;
            let by_post = kmes
                .call("POST", "carol", "celia/enc_keys", &body.to_string())
                .await;
            for answer in [by_get, by_post] {
                let keys = keys(&answer);
                assert_eq!(keys.len(), number, "{query}");
                assert!(keys.iter().all(|key| key.bytes.len() == bytes), "{query}");
            }
        }
    });
}

/// Clauses 6.1 and 6.2, Table 6.
#[test]
fn wrong_numbers_and_sizes_are_400() {
    with_kmes(async |kmes| {
        for number in [
            "0",
            "129",
            "-1",
            "1.5",
            "abc",
            "",
            "99999999999999999999999",
        ] {
            let path = format!("celia/enc_keys?number={number}");
            let answer = kmes.call("GET", "carol", &path, "").await;
            refused(&answer, 400, &path);
            assert!(answer.message().contains("number"), "{}", answer.text);
        }
        for size in ["0", "56", "65544", "-8", "64.0", "x", "", "1e3"] {
            let path = format!("celia/enc_keys?size={size}");
            let answer = kmes.call("GET", "carol", &path, "").await;
            refused(&answer, 400, &path);
            assert!(answer.message().contains("size"), "{}", answer.text);
        }
        for name in ["number", "size"] {
            for value in [
                "0",
                "-64",
                "1.5",
                "1e100",
                "99999999999999999999999",
                "64.0",
                "1000000000",
                "\"64\"",
                "true",
                "[64]",
                "{\"a\": 64}",
            ] {
                let body = format!("{{\"{name}\": {value}}}");
                let answer = kmes.call("POST", "carol", "celia/enc_keys", &body).await;
                refused(&answer, 400, &body);
                assert!(answer.message().contains(name), "{}", answer.text);
            }
        }
    });
}

/// Clause 6.2: the words of the standard, also where the size is out of range as well.
#[test]
fn a_size_that_is_no_multiple_of_8_is_refused_in_the_words_of_the_standard() {
    with_kmes(async |kmes| {
        for size in [1, 7, 65, 257, 65_537] {
            let path = format!("celia/enc_keys?size={size}");
            let answer = kmes.call("GET", "carol", &path, "").await;
            refused(&answer, 400, &path);
            assert_eq!(answer.message(), "size shall be a multiple of 8");
        }
    });
}

/// Clauses 4 and 5.3, clause 6.2 Table 10; RFC 8259. An item that is not understood is refused, never ignored.
#[test]
fn bodies_that_are_no_key_request_are_400() {
    with_kmes(async |kmes| {
        for body in [
            &b""[..],
            b" ",
            b"{",
            b"{\"number\": 1",
            b"{} {}",
            b"{}x",
            b"{\"number\": \xff}",
            b"{\"\xc3\x28\": 1}",
            b"\xef\xbb\xbf{}",
            b"{'number': 1}",
            b"{\"number\": NaN}",
            b"[]",
            b"[{}]",
            b"\"number\"",
            b"1",
            b"null",
            b"true",
            // Unknown and doubled items.
            b"{\"numbers\": 1}",
            b"{\"Number\": 1}",
            b"{\"another\": [[]]}",
            b"{\"number\": 1, \"number\": 2}",
            b"{\"size\": 256, \"s\\u0069ze\": 512}",
            b"{\"extension_optional\": [{\"a\": 1, \"a\": 2}]}",
        ] {
            let url = kmes.url("carol", "celia/enc_keys");
            let answer = kmes.0.send("POST", url, Some("carol"), body.into()).await;
            refused(&answer, 400, &String::from_utf8_lossy(body));
        }
    });
}

/// Clause 6.2: what is optional may be said to be nothing, as some clients do. These are their bodies, byte for byte.
#[test]
fn bodies_of_other_clients_are_understood() {
    with_kmes(async |kmes| {
        for (client, body) in [
            (
                "etsi014 0.4.1",
                r#"{"number":2,"size":256,"additional_slave_SAE_IDs":null}"#,
            ),
            (
                "etsi014 0.4.1, defaults",
                r#"{"number":null,"size":null,"additional_slave_SAE_IDs":null}"#,
            ),
            (
                "etsi014-client 0.2.0",
                r#"{"number":2,"size":256,"additional_target_sae_ids":[]}"#,
            ),
            ("a Kubernetes controller", r#"{"size":null,"number":null}"#),
        ] {
            let answer = kmes.call("POST", "carol", "celia/enc_keys", body).await;
            assert_eq!(answer.status, 200, "{client}: {}", answer.text);
            let wanted = if body.contains('2') { 2 } else { 1 };
            assert_eq!(keys(&answer).len(), wanted, "{client}");
        }
        // An SAE that is meant is not lost without a word.
        let body = r#"{"number":1,"additional_target_sae_ids":["cindy"]}"#;
        let answer = kmes.call("POST", "carol", "celia/enc_keys", body).await;
        refused(&answer, 400, body);
        assert!(answer.message().contains("additional_target_sae_ids"));
    });
}

/// Clause 6.2, Table 10: only number and size may be in the URI.
#[test]
fn a_query_that_should_have_been_a_post_is_400() {
    with_kmes(async |kmes| {
        for query in [
            "extension_mandatory=%5B%5D",
            "extension_optional=%5B%5D",
            "additional_slave_SAE_IDs=cindy",
            "number=1&number=1",
            "size=256&Size=256",
            "key_ID=1",
        ] {
            let path = format!("celia/enc_keys?{query}");
            let answer = kmes.call("GET", "carol", &path, "").await;
            refused(&answer, 400, query);
            assert!(answer.message().contains("use POST"), "{}", answer.text);
        }
    });
}

/// Clause 6.2.
#[test]
fn mandatory_extensions_are_refused_in_the_words_of_the_standard_and_optional_ones_ignored() {
    with_kmes(async |kmes| {
        for body in [
            json!({"extension_mandatory": [{"acme_route": "b"}]}),
            json!({"extension_mandatory": [{"acme_route": {"via": [1]}}]}),
            json!({"extension_mandatory": [{"acme_route": [1, 2]}]}),
            json!({"extension_mandatory": [{"acme_route": null}]}),
            json!({"extension_mandatory": [{"a": 1}, {"b": 2}], "number": 2}),
            // An optional extension does not make up for it.
            json!({"extension_mandatory": [{"a": 1}], "extension_optional": [{"a": 1}]}),
        ] {
            let answer = kmes
                .call("POST", "carol", "celia/enc_keys", &body.to_string())
                .await;
            refused(&answer, 400, &body.to_string());
            assert_eq!(
                answer.message(),
                "not all extension_mandatory parameters are supported"
            );
        }
        for name in ["extension_mandatory", "extension_optional"] {
            for value in [
                json!({}),
                json!("x"),
                json!(1),
                json!([1]),
                json!(["a"]),
                json!([null]),
            ] {
                let body = json!({name: value}).to_string();
                let answer = kmes.call("POST", "carol", "celia/enc_keys", &body).await;
                refused(&answer, 400, &body);
            }
        }
        for body in [
            json!({"extension_mandatory": []}),
            json!({"extension_optional": []}),
            json!({"extension_mandatory": null, "extension_optional": null}),
            json!({"extension_optional": [{"acme_route": {"via": [null]}}, {}]}),
            json!({"extension_mandatory": [], "extension_optional": [{"a": 1}]}),
        ] {
            assert_eq!(kmes.get_keys("carol", "celia", body).await.len(), 1);
        }
    });
}

/// Clause 5.3 (post-condition), clauses 3.1 and 4.
#[test]
fn no_key_and_no_key_id_is_given_twice_also_at_the_same_moment() {
    with_kmes(async |kmes| {
        let calls = (0..24).map(|n| {
            let (master, slave) = if n % 2 == 0 {
                ("carol", "celia")
            } else {
                ("cindy", "carol")
            };
            kmes.get_keys(master, slave, json!({"number": 8}))
        });
        let keys: Vec<Key> = join_all(calls).await.into_iter().flatten().collect();
        assert_eq!(keys.len(), 24 * 8);
        let ids: BTreeSet<_> = keys.iter().map(|key| &key.id).collect();
        let values: BTreeSet<_> = keys.iter().map(|key| &key.bytes).collect();
        assert_eq!((ids.len(), values.len()), (keys.len(), keys.len()));
    });
}

/// Clause 3.1.
#[test]
fn keys_look_random() {
    with_kmes(async |kmes| {
        let keys = kmes
            .get_keys("cindy", "celia", json!({"number": 128}))
            .await;
        let bytes: Vec<u8> = keys.into_iter().flat_map(|key| key.bytes).collect();
        // Expected among 32,768 bits: 16,384 ones, standard deviation 90.5. Six deviations are exceeded once in 10^9.
        let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
        assert!((15_841..=16_927).contains(&ones), "{ones}");
        // Expected among 4,096 bytes: each value 16 times. Chi-squared has 255 degrees of freedom; 6 deviations are 391.
        let mut counts = [0_f64; 256];
        bytes
            .iter()
            .for_each(|&byte| counts[usize::from(byte)] += 1.0);
        let chi_squared: f64 = counts.iter().map(|n| (n - 16.0).powi(2) / 16.0).sum();
        assert!((119.0..=391.0).contains(&chi_squared), "{chi_squared}");
        let blocks: BTreeSet<_> = bytes.chunks(8).collect();
        assert_eq!(blocks.len(), bytes.len() / 8, "no 8 bytes appear twice");
    });
}

/// Clause 5.3, Table 6: a refused call takes no key, and an unknown slave is refused.
#[test]
fn a_refused_call_takes_no_key() {
    with_kmes(async |kmes| {
        kmes.get_key("curtis", "celia").await;
        let before = settled(kmes, "curtis", "celia").await;
        for (path, body) in [
            ("nobody/enc_keys", "{}"),
            ("celia/enc_keys", "{\"number\": 129}"),
            ("celia/enc_keys", "{\"size\": 257}"),
            ("celia/enc_keys", "{\"number\": 128, \"size\": 65536}"),
            ("celia/enc_keys", "{\"extension_mandatory\": [{\"a\": 1}]}"),
            (
                "celia/enc_keys",
                "{\"additional_slave_SAE_IDs\": [\"nobody\"]}",
            ),
        ] {
            let answer = kmes.call("POST", "curtis", path, body).await;
            refused(&answer, 400, body);
        }
        assert_eq!(kmes.status("curtis", "celia").await, before);
    });
}

/// Clause 4 (Figure 3).
#[test]
fn master_and_slave_may_share_a_kme_and_swap_their_roles() {
    with_kmes(async |kmes| {
        for (master, slave) in [("east", "west"), ("west", "east"), ("celia", "carol")] {
            let key = kmes.get_key(master, slave).await;
            kmes.fetch_all(slave, master, &[key]).await;
        }
        // At the same time, in both directions.
        let (there, back) = (
            kmes.get_key("carol", "celia").await,
            kmes.get_key("celia", "carol").await,
        );
        kmes.fetch_all("carol", "celia", &[back]).await;
        kmes.fetch_all("celia", "carol", &[there]).await;
    });
}

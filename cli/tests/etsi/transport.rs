//! Clause 5.1: credentials, encoding, paths and methods.

use serde_json::{Value, json};

use crate::common::raw::Connection;
use crate::shared::{Key, keys, refused, with_kmes};

/// Clauses 4 and 5.1, Tables 4, 6 and 8; RFC 7235 section 3.1.
#[test]
fn who_has_no_credentials_or_wrong_ones_gets_401_a_challenge_and_no_keys() {
    with_kmes(async |kmes| {
        let key = kmes.get_key("carol", "celia").await;
        let by_id = format!("carol/dec_keys?key_ID={}", key.id);
        let callers: [&[&str]; 7] = [
            &[],
            &[""],
            // Served by another KME.
            &["carol"],
            &["nobody"],
            &["a b"],
            &["Bearer xyz"],
            &["celia", "celia"],
        ];
        for caller in callers {
            for (method, path, body) in [
                ("GET", "cindy/status", ""),
                ("GET", "cindy/enc_keys", ""),
                ("POST", "cindy/enc_keys", "{}"),
                ("GET", by_id.as_str(), ""),
                ("POST", "carol/dec_keys", "{\"key_IDs\": []}"),
                // They are not told what else is wrong either.
                ("POST", "cindy/enc_keys", "{"),
                ("GET", "a%2Fb/enc_keys", ""),
                ("GET", "nobody/status", ""),
                ("GET", "cindy/enc_keys?number=0", ""),
            ] {
                let headers: Vec<_> = caller.iter().map(|c| ("Authorization", *c)).collect();
                let url = kmes.url("celia", path);
                let answer = kmes.0.send_with(method, url, &headers, body.into()).await;
                let what = format!("{caller:?} {method} {path}");
                assert_eq!(answer.status, 401, "{what}: {}", answer.text);
                assert!(
                    answer
                        .header("www-authenticate")
                        .is_some_and(|challenge| !challenge.is_empty()),
                    "{what}"
                );
                assert!(answer.body.get("keys").is_none(), "{what}");
            }
        }
        kmes.fetch_all("celia", "carol", &[key]).await;
    });
}

/// Clauses 4 and 5.1 Table 1; RFC 8259 section 8.1. RFC 7234: a key that is given once must not be cached.
#[test]
fn every_answer_is_one_json_value_in_utf_8_and_says_so() {
    with_kmes(async |kmes| {
        let given = kmes.call("GET", "carol", "celia/enc_keys", "").await;
        let id = keys(&given).remove(0).id;
        let fetched = kmes.fetch("celia", "carol", &[&id]).await;
        let status = kmes.call("GET", "carol", "celia/status", "").await;
        let again = kmes.fetch("celia", "carol", &[&id]).await;
        let bad = kmes.call("POST", "carol", "celia/enc_keys", "[]").await;
        for (answer, code) in [
            (given, 200),
            (fetched, 200),
            (status, 200),
            (again, 400),
            (bad, 400),
        ] {
            assert_eq!(answer.status, code);
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            // Invalid UTF-8 would show as replacement characters; a byte order mark would be no JSON.
            assert!(!answer.text.contains('\u{fffd}'));
            assert!(answer.body.is_object(), "{}", answer.text);
            for name in answer.body.as_object().unwrap().keys() {
                assert_eq!(answer.text.matches(&format!("\"{name}\":")).count(), 1);
            }
        }
    });
}

/// Clause 5.1 Table 1, clause 4; RFC 8259.
#[test]
fn a_request_means_the_same_however_it_is_written() {
    with_kmes(async |kmes| {
        for content_type in [
            None,
            Some("application/json"),
            Some("application/json; charset=utf-8"),
            Some("application/json;charset=UTF-8"),
            Some("Application/JSON"),
        ] {
            for body in [
                r#"{"number":2,"size":128}"#,
                " \r\n\t{ \"size\" : 128 ,\n \"number\" : 2 }\n",
                r#"{"\u006eumber":2,"si\u007ae":128}"#,
            ] {
                let mut headers = vec![("Authorization", "carol")];
                headers.extend(content_type.map(|value| ("Content-Type", value)));
                let url = kmes.url("carol", "celia/enc_keys");
                let answer = kmes.0.send_with("POST", url, &headers, body.into()).await;
                let keys = keys(&answer);
                assert_eq!(keys.len(), 2, "{content_type:?} {body}");
                assert!(keys.iter().all(|key| key.bytes.len() == 16));
            }
        }
    });
}

/// Clause 5.1 Table 1.
#[test]
fn bodies_that_claim_to_be_something_else_are_400() {
    with_kmes(async |kmes| {
        for header in [
            ("Content-Type", "text/plain"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Type", "application/json; charset=utf-16"),
            ("Content-Type", "nonsense"),
            ("Content-Encoding", "gzip"),
        ] {
            let headers = [("Authorization", "carol"), header];
            for path in ["celia/enc_keys", "celia/dec_keys"] {
                let url = kmes.url("carol", path);
                let answer = kmes.0.send_with("POST", url, &headers, "{}".into()).await;
                refused(&answer, 400, &format!("{header:?} {path}"));
                assert!(answer.message().contains(header.0), "{}", answer.text);
            }
        }
    });
}

/// RFC 7230 sections 3.3.1 and 4.1.
#[test]
fn a_chunked_body_is_read() {
    with_kmes(async |kmes| {
        let mut connection = Connection::open(&kmes.address("carol")).await;
        connection
            .write(
                "POST /api/v1/keys/celia/enc_keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: carol\r\n\
                 Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
                 9\r\n{\"number\"\r\n",
            )
            .await;
        connection
            .write("3;ext=1\r\n: 3\r\n1\r\n}\r\n0\r\n\r\n")
            .await;
        let response = connection.response(false).await.unwrap();
        assert_eq!(response.status, 200);
        let container: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(container["keys"].as_array().unwrap().len(), 3);
    });
}

/// Tables 3, 5 and 7.
#[test]
fn the_sae_id_of_the_path_is_percent_decoded_once() {
    with_kmes(async |kmes| {
        let status = kmes.call("GET", "carol", "%63el%69a/status", "").await;
        assert_eq!(status.body["slave_SAE_ID"], "celia");
        let given = kmes.call("POST", "carol", "c%65lia/enc_keys", "{}").await;
        let key = keys(&given).remove(0);
        let path = format!("c%61rol/dec_keys?key_ID={}", key.id);
        let fetched = kmes.call("GET", "celia", &path, "").await;
        assert_eq!(keys(&fetched), [key]);
        // "%2563" decodes to "%63", which is no name.
        let twice = kmes.call("GET", "carol", "%2563elia/status", "").await;
        refused(&twice, 400, "encoded twice");
    });
}

/// Clause 5.1 Table 2, clauses 5.2 to 5.4.
#[test]
fn the_api_methods_are_at_the_paths_of_table_2_by_get_and_by_post() {
    with_kmes(async |kmes| {
        for prefix in dske::http::paths::ETSI_PREFIXES {
            let call = async |method: &str, sae: &str, path: String, body: Value| {
                let url = kmes.0.url(&kmes.home(sae), &format!("{prefix}/{path}"));
                let body = if method == "GET" {
                    String::new()
                } else {
                    body.to_string()
                };
                kmes.0.send(method, url, Some(sae), body.into()).await
            };
            let status = call("GET", "carol", "celia/status".into(), Value::Null).await;
            assert_eq!(status.status, 200);
            for method in ["GET", "POST"] {
                let given = call(method, "carol", "celia/enc_keys".into(), json!({})).await;
                let key: Key = keys(&given).remove(0);
                let mut path = "carol/dec_keys".to_owned();
                if method == "GET" {
                    path.push_str(&format!("?key_ID={}", key.id));
                }
                let body = json!({"key_IDs": [{"key_ID": key.id}]});
                assert_eq!(keys(&call(method, "celia", path, body).await), [key]);
            }
        }
    });
}

/// Tables 2, 3, 5 and 7; RFC 7231 section 6.5.5.
#[test]
fn other_http_methods_are_405_with_allow_and_other_api_methods_400() {
    with_kmes(async |kmes| {
        for (path, allowed) in [
            ("celia/status", "GET"),
            ("celia/enc_keys", "GET, POST"),
            ("celia/dec_keys", "GET, POST"),
        ] {
            for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
                if allowed.contains(method) {
                    continue;
                }
                let answer = kmes.call(method, "carol", path, "{}").await;
                refused(&answer, 405, &format!("{method} {path}"));
                assert_eq!(answer.header("allow"), Some(allowed));
            }
        }
        for path in [
            "celia/keys",
            "celia/status/",
            "celia/enc_keys/x",
            "celia/Status",
            "celia",
            "celia%2Fstatus",
            "/status",
            "",
        ] {
            for method in ["GET", "POST"] {
                let answer = kmes.call(method, "carol", path, "").await;
                refused(&answer, 400, &format!("{method} {path}"));
            }
        }
    });
}

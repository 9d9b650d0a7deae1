//! Tables 4, 6 and 8, clause 6.5: the status codes and the messages of errors.

use serde_json::json;

use crate::shared::{UNKNOWN_ID, refused, with_kmes};

/// Tables 4, 6 and 8, clauses 5.1 and 6.5: any mistake in a call is answered with 400 and an Error.
#[test]
fn every_wrong_call_is_400_with_an_error() {
    with_kmes(async |kmes| {
        let long_path = |method: &str| format!("{}/{method}", "a".repeat(8 * 1024));
        let many_ids = vec![json!({"key_ID": UNKNOWN_ID}); 20_000];
        let many_ids = json!({"key_IDs": many_ids}).to_string();
        let more_ids: Vec<_> = (0..129)
            .map(|n| json!({"key_ID": format!("bc490419-7d60-187f-adc1-{n:012}")}))
            .collect();
        let more_ids = json!({"key_IDs": more_ids}).to_string();
        let deep = format!(
            "{{\"extension_optional\": [{{\"a\": {}1{}}}]}}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        let large = format!("{{{}}}", " ".repeat(16 << 20));
        let junk = "x".repeat(16 << 20);
        let mut wrong: Vec<(&str, String, &str)> = Vec::new();
        for method in ["status", "enc_keys", "dec_keys"] {
            wrong.push(("GET", format!("nobody/{method}"), ""));
            wrong.push(("GET", format!("%00%ff/{method}"), ""));
            wrong.push(("GET", format!("%zz/{method}"), ""));
            wrong.push(("GET", format!("a%2Fb/{method}"), ""));
            wrong.push(("GET", long_path(method), ""));
            wrong.push(("GET", format!("celia/{method}?x=1"), ""));
            wrong.push(("GET", format!("celia/{method}?%ff=%ff&&=="), ""));
            // A body with GET would be ignored.
            wrong.push(("GET", format!("celia/{method}"), "{\"number\": 2}"));
            wrong.push(("GET", format!("celia/{method}"), &large));
            if method != "status" {
                for body in ["", "{", "[]", "\"x\"", &deep, &large, &junk] {
                    wrong.push(("POST", format!("celia/{method}"), body));
                }
                wrong.push(("POST", format!("celia/{method}?number=1"), "{}"));
            }
        }
        wrong.push(("POST", "celia/dec_keys".to_owned(), &many_ids));
        wrong.push(("POST", "celia/dec_keys".to_owned(), &more_ids));
        for (method, path, body) in wrong {
            let answer = kmes.call(method, "carol", &path, body).await;
            let what = format!(
                "{method} {} {}",
                &path[path.len().saturating_sub(40)..],
                &body[..body.len().min(40)]
            );
            refused(&answer, 400, &what);
        }
        kmes.work().await;
    });
}

/// Clause 6.5 Table 13, clauses 6.2 and 6.4: the words of the standard, and details that help a person.
#[test]
fn details_say_which_key_and_which_parameter() {
    with_kmes(async |kmes| {
        let body = json!({"extension_mandatory": [{"acme_route": "b"}, {"acme_hops": 3}]});
        let answer = kmes
            .call("POST", "carol", "celia/enc_keys", &body.to_string())
            .await;
        refused(&answer, 400, "extension_mandatory");
        let details = &answer.body["details"];
        assert_eq!(details[0]["parameter"], "acme_route");
        assert_eq!(details[1]["parameter"], "acme_hops");
        let answer = kmes.fetch("celia", "carol", &[UNKNOWN_ID]).await;
        refused(&answer, 400, "key ID");
        assert_eq!(answer.body["details"][0]["key_ID"], UNKNOWN_ID);
        let body = json!({"key_IDs": [{"key_ID": UNKNOWN_ID}, {"key_ID": "nope"}]});
        let answer = kmes
            .call("POST", "carol", "celia/dec_keys", &body.to_string())
            .await;
        assert!(
            answer
                .message()
                .starts_with("key_IDs[1]: a key ID is a UUID"),
            "{}",
            answer.text
        );
    });
}

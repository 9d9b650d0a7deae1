//! Requests that no well-behaved SAE would send.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::common::raw::Connection;
use crate::shared::with_kmes;

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} /api/v1/keys/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: carol\r\n{headers}\r\n{body}"
    )
}

/// A POST with its length.
fn post(path: &str, body: &str) -> String {
    let length = format!("Content-Length: {}\r\n", body.len());
    request("POST", path, &length, body)
}

/// RFC 7230 section 6.3: after an error, the server either answers the next request on the connection as usual, or says
/// that it closes the connection.
#[test]
fn a_connection_stays_in_step_after_errors() {
    with_kmes(async |kmes| {
        let address = kmes.address("carol");
        let mut connection = Connection::open(&address).await;
        let chunked = "Transfer-Encoding: chunked\r\n";
        let no_credentials = post("celia/enc_keys", "{}").replace("Authorization: carol\r\n", "");
        let kept_open = [
            (post("celia/enc_keys", "{"), 400),
            (post("celia/enc_keys", "{\"number\": 0}"), 400),
            (post("nobody/enc_keys", "{}"), 400),
            (no_credentials, 401),
            (request("GET", "celia/enc_keys?number=x", "", ""), 400),
            (
                request("GET", "celia/status", "Content-Length: 2\r\n", "{}"),
                400,
            ),
            (
                request("POST", "celia/enc_keys", chunked, "2\r\n[]\r\n0\r\n\r\n"),
                400,
            ),
            (request("HEAD", "celia/status", "", ""), 405),
            (request("PUT", "celia/status", "", ""), 405),
            (request("GET", "celia/nothing", "", ""), 400),
            (post("celia/enc_keys", "{}"), 200),
        ];
        for (bytes, status) in kept_open {
            let first = bytes.lines().next().unwrap().to_owned();
            connection.write(&bytes).await;
            let answer = connection
                .response(first.starts_with("HEAD"))
                .await
                .unwrap();
            assert_eq!(answer.status, status, "{first}");
            assert!(!answer.closes(), "{first}");
            let next = connection.ask(request("GET", "celia/status", "", "")).await;
            assert_eq!(next.status, 200, "after {first}");
            let body: Value = serde_json::from_slice(&next.body).unwrap();
            assert_eq!(body["slave_SAE_ID"], "celia", "after {first}");
        }
        // The end of these requests is unknown, or too far away to read on.
        for bytes in [
            request("POST", "celia/enc_keys", chunked, "zz\r\n{}\r\n0\r\n\r\n"),
            post("celia/enc_keys", &" ".repeat(300 * 1024)),
            request("POST", "celia/status", "Content-Length: 100000\r\n", "{"),
        ] {
            let mut connection = Connection::open(&address).await;
            connection.write(&bytes).await;
            let Some(answer) = connection.response(false).await else {
                // The server may give up on a broken chunk before there is an answer, but on nothing else.
                assert!(bytes.contains("zz"), "{}", &bytes[..40]);
                continue;
            };
            assert!(matches!(answer.status, 400 | 405), "{}", answer.status);
            assert!(answer.closes(), "{}", answer.head);
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            assert!(body["message"].is_string());
        }
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    with_kmes(async |kmes| {
        let mut connection = Connection::open(&kmes.address("carol")).await;
        let all = [
            request("GET", "celia/status", "", ""),
            post("celia/enc_keys", "{"),
            post("celia/enc_keys", "{\"number\": 2}"),
            request("GET", "cindy/status", "", ""),
        ];
        connection.write(all.concat()).await;
        let mut answers = Vec::new();
        for _ in 0..4 {
            let answer = connection.response(false).await.unwrap();
            answers.push(serde_json::from_slice::<Value>(&answer.body).unwrap());
        }
        assert_eq!(answers[0]["slave_SAE_ID"], "celia");
        assert!(answers[1]["message"].is_string());
        assert_eq!(answers[2]["keys"].as_array().unwrap().len(), 2);
        assert_eq!(answers[3]["slave_SAE_ID"], "cindy");
    });
}

#[test]
fn clients_that_go_away_abruptly_do_no_harm() {
    with_kmes(async |kmes| {
        let address = kmes.address("carol");
        let whole = post("celia/enc_keys", "{\"number\": 128}");
        for _ in 0..5 {
            for end in [0, 1, 20, whole.len() - 20, whole.len() - 1, whole.len()] {
                let mut connection = Connection::open(&address).await;
                connection.write(&whole[..end]).await;
                drop(connection);
            }
            // In the middle of an answer: since it stays unread, the kernel resets the connection.
            let mut connection = Connection::open(&address).await;
            connection.write(whole.repeat(3)).await;
            actix_rt::time::sleep(Duration::from_millis(50)).await;
            drop(connection);
        }
        kmes.work().await;
    });
}

#[test]
fn odd_request_lines_and_heads_are_refused_and_the_service_lives_on() {
    with_kmes(async |kmes| {
        let address = kmes.address("carol");
        let many_headers: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
        for bytes in [
            request("GET", "%/status", "", ""),
            request("GET", "%zz/status", "", ""),
            request("GET", "%c3%28/status", "", ""),
            request("GET", "%2e%2e%2fstatus", "", ""),
            request("GET", "../../etc/status", "", ""),
            request("GET", "celia\0/status", "", ""),
            request("GET", "céliá/status", "", ""),
            request("GET", &format!("{}/status", "a".repeat(8 * 1024)), "", ""),
            request("GET", &format!("{}/status", "a".repeat(100 * 1024)), "", ""),
            request(
                "GET",
                "celia/status",
                &format!("x: {}\r\n", "y".repeat(200 * 1024)),
                "",
            ),
            request("GET", "celia/status", &many_headers, ""),
            request("GET", "celia/status", "no colon\r\n", ""),
            request("POST", "celia/enc_keys", "Content-Length: -1\r\n", ""),
            request(
                "POST",
                "celia/enc_keys",
                "Content-Length: 1\r\nContent-Length: 2\r\n",
                "{}",
            ),
            request(
                "POST",
                "celia/enc_keys",
                "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
                "{}",
            ),
            "\0\0\0\0\r\n\r\n".to_owned(),
            // The first bytes of a TLS handshake.
            "\u{16}\u{3}\u{1}\0\u{2}\r\n\r\n".to_owned(),
        ] {
            let mut connection = Connection::open(&address).await;
            connection.write(&bytes).await;
            if let Some(answer) = connection.response(false).await {
                let line: String = bytes.chars().take(60).collect();
                assert!(
                    (400..500).contains(&answer.status),
                    "{line:?}: {}",
                    answer.status
                );
            }
        }
        kmes.work().await;
    });
}

/// The bytes of another protocol would follow such a GET without end. They are not its body.
#[test]
fn a_get_that_asks_for_another_protocol_is_answered_at_once() {
    with_kmes(async |kmes| {
        for protocol in ["websocket", "h2c"] {
            let mut connection = Connection::open(&kmes.address("carol")).await;
            let headers = format!("Connection: Upgrade\r\nUpgrade: {protocol}\r\n");
            let begun = Instant::now();
            let status = request("GET", "celia/status", &headers, "");
            assert_eq!(connection.ask(status).await.status, 200);
            assert!(begun.elapsed() < Duration::from_secs(2));
        }
    });
}

#[test]
fn a_body_that_does_not_arrive_is_400_in_bounded_time() {
    with_kmes(async |kmes| {
        let mut connection = Connection::open(&kmes.address("carol")).await;
        let headers = "Content-Length: 100\r\n";
        let begun = request("POST", "celia/enc_keys", headers, "{\"number\":");
        let answer = connection.ask(begun).await;
        assert_eq!(answer.status, 400);
        assert!(answer.closes());
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["message"], "the request did not arrive within 10s");
    });
}

/// A body may be sent after the server has said that it wants it (RFC 7231 section 5.1.1).
#[test]
fn a_client_that_waits_for_100_continue_is_told_to_go_on() {
    with_kmes(async |kmes| {
        let mut connection = Connection::open(&kmes.address("carol")).await;
        let headers = "Expect: 100-continue\r\nContent-Length: 2\r\n";
        let head = request("POST", "celia/enc_keys", headers, "");
        assert_eq!(connection.ask(head).await.status, 100);
        assert_eq!(connection.ask("{}").await.status, 200);
    });
}

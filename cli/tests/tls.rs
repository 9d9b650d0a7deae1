//! A cluster under TLS, as those see it who have the right certificate, and those who have not.
#![allow(clippy::unwrap_used)]

mod lab;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lab::{Lab, eventually};
use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, NamedGroup, ProtocolVersion, RootCertStore};

const SMALL: &str = "threshold = 2
base_port = 8100
hubs = [{ name = \"hank\" }, { name = \"helen\" }]
clients = [{ name = \"carol\", saes = [\"carol\", \"sam\"] }, { name = \"celia\" }]
";

const HANK: u16 = 0;
const CAROL: u16 = 2;
const CELIA: u16 = 3;

/// A cluster with certificates that does not run yet.
fn certified() -> Lab {
    let lab = Lab::new(SMALL);
    lab.ok(&["pki", "init"]);
    lab
}

fn running() -> Lab {
    let lab = certified();
    lab.ok(&["start"]);
    lab
}

/// Who calls: the name of its files, or a certificate and a key in PEM, or nobody.
#[derive(Clone)]
enum Who {
    File(&'static str),
    Pem(String, String),
    Nobody,
}

fn config(lab: &Lab, who: &Who) -> ClientConfig {
    config_of(lab, who, rustls::DEFAULT_VERSIONS)
}

fn config_of(
    lab: &Lab,
    who: &Who,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ClientConfig {
    let pki = lab.folder().join("pki");
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(pki.join("ca.pem")).unwrap();
    roots.add(ca).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_protocol_versions(versions)
    .unwrap()
    .with_root_certificates(roots);
    let (certificate, key) = match who {
        Who::Nobody => return config.with_no_client_auth(),
        Who::File(stem) => (
            std::fs::read_to_string(pki.join(format!("{stem}.pem"))).unwrap(),
            std::fs::read_to_string(pki.join(format!("{stem}.key"))).unwrap(),
        ),
        Who::Pem(certificate, key) => (certificate.clone(), key.clone()),
    };
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    config.with_client_auth_cert(chain, key).unwrap()
}

fn client(lab: &Lab, who: &Who) -> awc::Client {
    let connector = awc::Connector::new().rustls_0_23(Arc::new(config(lab, who)));
    let within = Duration::from_secs(60);
    awc::Client::builder()
        .connector(connector.timeout(within))
        .timeout(within)
        .finish()
}

fn url(lab: &Lab, node: u16, path: &str) -> String {
    format!("https://127.0.0.1:{}{path}", lab.base_port + node)
}

/// The status of an answer, or why there is none.
async fn get(client: &awc::Client, url: &str) -> Result<u16, String> {
    let answer = client.get(url).send().await;
    answer
        .map(|a| a.status().as_u16())
        .map_err(|e| e.to_string())
}

fn on_system<T>(work: impl Future<Output = T>) -> T {
    actix_rt::System::new().block_on(work)
}

fn status(lab: &Lab, who: &Who, node: u16, path: &str) -> Result<u16, String> {
    on_system(async { get(&client(lab, who), &url(lab, node, path)).await })
}

const STATUS_OF_CELIA: &str = "/api/v1/keys/celia/status";
const KEY_FOR_CELIA: &str = "/api/v1/keys/celia/enc_keys";

/// A certificate of the lab's own CA, or of another one.
fn issued(lab: &Lab, is_ours: bool, change: impl FnOnce(&mut CertificateParams)) -> Who {
    let pki = lab.folder().join("pki");
    let read = |name: &str| std::fs::read_to_string(pki.join(name)).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let ca_key = KeyPair::from_pem(&read("ca.key")).unwrap();
    let ca = match is_ours {
        true => Issuer::from_ca_cert_pem(&read("ca.pem"), ca_key).unwrap(),
        false => Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap()),
    };
    let certificate = params.signed_by(&key, &ca).unwrap();
    Who::Pem(certificate.pem(), key.serialize_pem())
}

fn named(name: &str) -> impl FnOnce(&mut CertificateParams) {
    let name = name.to_owned();
    move |params| params.distinguished_name.push(DnType::CommonName, name)
}

#[test]
fn a_cluster_with_certificates_is_started_used_and_stopped() {
    let lab = certified();
    let text = std::fs::read_to_string(lab.folder().join("topology.toml")).unwrap();
    assert!(
        text.starts_with(&SMALL[..20]) && text.contains("[tls]"),
        "{text}"
    );
    let mode = |name: &str| {
        let file = lab.folder().join("pki").join(name);
        file.metadata().unwrap().permissions().mode() & 0o777
    };
    for key in [
        "ca.key",
        "hub-hank.key",
        "client-carol.key",
        "sae-sam.key",
        "operator.key",
    ] {
        assert_eq!(mode(key), 0o600, "{key}");
    }
    let again = lab.fails(1, &["pki", "init"]);
    assert!(
        again.contains("is there already: nothing was changed"),
        "{again}"
    );
    lab.ok(&["start"]);
    let pair = lab.ok(&["etsi-qkd", "carol", "celia", "get-key-pair"]);
    assert!(pair.ends_with("Key values match\n"), "{pair}");
    let bench = lab.ok(&[
        "bench",
        "--duration",
        "1",
        "--warm-up",
        "0",
        "--pair",
        "sam:celia",
    ]);
    assert!(bench.contains("keys/s"), "{bench}");
    assert_eq!(lab.ok(&["stop"]).lines().count(), 4);
    let gone = lab.fails(1, &["etsi-qkd", "carol", "celia", "get-key"]);
    assert!(gone.contains("is the node running?"), "{gone}");
}

/// Rows: who. Columns: what. The number is the status of the answer.
#[test]
fn every_route_is_for_those_whom_it_is_for() {
    let lab = running();
    let json = "application/json";
    let register = r#"{"client":"carol"}"#;
    let saes = ["sae-carol", "sae-sam", "sae-celia"];
    let others = [
        "client-carol",
        "client-celia",
        "hub-hank",
        "operator",
        "monitor",
    ];
    on_system(async {
        for who in saes
            .iter()
            .chain(&others)
            .map(|who| Who::File(who))
            .chain([Who::Nobody])
        {
            let name = match who {
                Who::File(name) => name,
                _ => "",
            };
            let client = client(&lab, &who);
            let refused = if name.is_empty() { 401 } else { 403 };
            let if_one_of = |names: &[&str], then: u16| match names.contains(&name) {
                true => then,
                false => refused,
            };
            // ETSI: an SAE at its own KME, and nobody else. The standard knows no 403.
            let own = ["sae-carol", "sae-sam"].contains(&name);
            let asked = get(&client, &url(&lab, CAROL, STATUS_OF_CELIA)).await;
            assert_eq!(asked, Ok(if own { 200 } else { 401 }), "ETSI for {name:?}");
            // A header changes nothing.
            let claimed = client
                .get(url(&lab, CAROL, STATUS_OF_CELIA))
                .insert_header(("Authorization", "carol"))
                .send();
            let claimed = claimed.await.unwrap().status().as_u16();
            assert_eq!(
                claimed,
                if own { 200 } else { 401 },
                "ETSI with a header for {name:?}"
            );
            // A client registers as itself.
            let oob = client.post(url(&lab, HANK, "/dske/hub/oob/v1/registration"));
            let oob = oob.content_type(json).send_body(register).await.unwrap();
            let expected = if_one_of(&["client-carol"], 200);
            assert_eq!(oob.status().as_u16(), expected, "registration for {name:?}");
            let psrd = client.post(url(&lab, HANK, "/dske/hub/oob/v1/psrd"));
            let request = r#"{"client":"carol","registration":"bc490419-7d60-487f-adc1-4ddcc177c139","owner":"client","size":65536}"#;
            let psrd = psrd.content_type(json).send_body(request).await.unwrap();
            let expected = if_one_of(&["client-carol"], 409);
            assert_eq!(psrd.status().as_u16(), expected, "PSRD for {name:?}");
            // Key shares: any client; the MAC says which.
            for path in ["key-share", "key-shares"] {
                let shares = client.post(url(&lab, HANK, &format!("/dske/hub/api/v1/{path}")));
                let shares = shares
                    .content_type("text/plain")
                    .send_body("x")
                    .await
                    .unwrap();
                let may = if_one_of(&["client-carol", "client-celia"], 0);
                let status = shares.status().as_u16();
                assert_eq!(
                    status == refused,
                    may == refused,
                    "{path} for {name:?}: {status}"
                );
            }
            for (path, who) in [
                ("/dske/hub/mgmt/v1/status", &["operator"][..]),
                ("/metrics", &["operator", "monitor"]),
                ("/openapi.json", &["operator"]),
                ("/docs/index.html", &["operator"]),
            ] {
                let asked = get(&client, &url(&lab, HANK, path)).await;
                assert_eq!(asked, Ok(if_one_of(who, 200)), "{path} for {name:?}");
            }
            // Stopping, by all who may not.
            if name != "operator" {
                let stop = client.post(url(&lab, CELIA, "/dske/client/mgmt/v1/stop"));
                let stop = stop.send().await.unwrap().status().as_u16();
                assert_eq!(stop, refused, "stop for {name:?}");
            }
        }
    });
    // Nobody was stopped, and carol, whose place was taken by itself, registers again.
    eventually(
        || match lab.dske(&["etsi-qkd", "carol", "celia", "get-key-pair"]) {
            output if output.code == Some(0) => Ok(()),
            output => Err(output.stderr),
        },
    );
    lab.ok(&["stop"]);
}

#[test]
fn a_certificate_has_to_be_valid_of_our_ca_and_somebodys() {
    let lab = running();
    let ended = |params: &mut CertificateParams| {
        named("carol")(params);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    };
    let early = |params: &mut CertificateParams| {
        named("carol")(params);
        params.not_before = rcgen::date_time_ymd(3000, 1, 1);
    };
    let server_only = |params: &mut CertificateParams| {
        named("carol")(params);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    };
    let two_names = |params: &mut CertificateParams| {
        named("carol")(params);
        let other = DnType::CustomDnType(vec![2, 5, 4, 3]);
        params.distinguished_name.push(other, "operator");
    };
    assert_eq!(
        status(
            &lab,
            &issued(&lab, true, named("carol")),
            CAROL,
            STATUS_OF_CELIA
        ),
        Ok(200)
    );
    for (what, who) in [
        ("expired", issued(&lab, true, ended)),
        ("not valid yet", issued(&lab, true, early)),
        ("for servers", issued(&lab, true, server_only)),
        ("of another CA", issued(&lab, false, named("carol"))),
    ] {
        let asked = status(&lab, &who, CAROL, STATUS_OF_CELIA);
        assert!(asked.is_err(), "{what}: {asked:?}");
    }
    for (what, who) in [
        ("names nobody", issued(&lab, true, named("mallory"))),
        (
            "names a node that is not there",
            issued(&lab, true, named("hub-helga")),
        ),
        ("has no name", issued(&lab, true, |_| ())),
        ("has two names", issued(&lab, true, two_names)),
    ] {
        let asked = status(&lab, &who, CAROL, STATUS_OF_CELIA);
        assert_eq!(asked, Ok(401), "{what}");
    }
    // The node says in its log what it refused, and how often.
    let log = lab.folder().join("logs/client-carol.log");
    eventually(|| {
        let log = std::fs::read_to_string(&log).unwrap();
        let told = ["expired", "unknown-ca", "bad-certificate"];
        let line = log
            .lines()
            .filter(|line| line.contains("TLS handshakes failed"));
        let lines: String = line.collect();
        match told.iter().all(|told| lines.contains(told)) {
            true => Ok(()),
            false => Err(lines),
        }
    });
    lab.ok(&["stop"]);
}

#[test]
fn a_revoked_certificate_is_refused_also_on_a_connection_that_lasts() {
    let lab = running();
    on_system(async {
        let (carol, sam) = (
            client(&lab, &Who::File("sae-carol")),
            client(&lab, &Who::File("sae-sam")),
        );
        for sae in [&carol, &sam] {
            assert_eq!(get(sae, &url(&lab, CAROL, STATUS_OF_CELIA)).await, Ok(200));
        }
        lab.ok(&["pki", "revoke", "--sae", "carol"]);
        let begun = tokio::time::Instant::now();
        while get(&carol, &url(&lab, CAROL, STATUS_OF_CELIA)).await == Ok(200) {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "it is still served"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let fresh = client(&lab, &Who::File("sae-carol"));
        assert!(
            get(&fresh, &url(&lab, CAROL, STATUS_OF_CELIA))
                .await
                .is_err()
        );
        assert_eq!(get(&sam, &url(&lab, CAROL, STATUS_OF_CELIA)).await, Ok(200));
        // A new certificate serves at once: the old one's number is what is revoked.
        lab.ok(&["pki", "issue", "--sae", "carol"]);
        let renewed = client(&lab, &Who::File("sae-carol"));
        assert_eq!(
            get(&renewed, &url(&lab, CAROL, STATUS_OF_CELIA)).await,
            Ok(200)
        );
    });
    let shown = lab.ok(&["pki", "show"]);
    assert!(
        shown.contains("SAE carol") && !shown.contains("revoked"),
        "{shown}"
    );
    // A broken file changes nothing: what was read before stays.
    let list = lab.folder().join("pki/ca.crl");
    let kept = std::fs::read(&list).unwrap();
    std::fs::write(&list, "no list").unwrap();
    let log = lab.folder().join("logs/client-carol.log");
    eventually(|| match std::fs::read_to_string(&log).unwrap() {
        log if log.contains("stay in use") => Ok(()),
        log => Err(log),
    });
    let sam = status(&lab, &Who::File("sae-sam"), CAROL, STATUS_OF_CELIA);
    assert_eq!(sam, Ok(200));
    std::fs::write(&list, kept).unwrap();
    lab.ok(&["stop"]);
}

/// Sends bytes to a node, and returns what comes back until it hangs up.
fn raw(lab: &Lab, node: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", lab.base_port + node)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn who_does_not_speak_our_tls_is_told_and_costs_nobody_else() {
    let lab = running();
    let plain = raw(&lab, CAROL, b"GET /api/v1/keys/celia/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: carol\r\n\r\n");
    let plain = String::from_utf8(plain).unwrap();
    assert!(plain.starts_with("HTTP/1.1 400 "), "{plain}");
    let (head, body) = plain.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())),
        "{plain}"
    );
    assert!(body.contains("call https://"), "{plain}");
    // A handshake of TLS 1.1: one suite, no extensions.
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x14, 1, 0]);
    let mut record = vec![
        0x16,
        0x03,
        0x01,
        0,
        u8::try_from(hello.len() + 4).unwrap(),
        1,
        0,
        0,
    ];
    record.push(u8::try_from(hello.len()).unwrap());
    record.extend(&hello);
    let refused = raw(&lab, CAROL, &record);
    // An alert: fatal, and that the version is not spoken or the handshake cannot be.
    assert!(
        refused.len() == 7 && refused[0] == 0x15 && refused[5] == 2,
        "{refused:?}"
    );
    assert!([40, 70].contains(&refused[6]), "{refused:?}");
    // Silent callers in the middle of a handshake keep nobody waiting.
    let silent: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", lab.base_port + CAROL)).unwrap();
            stream.write_all(&record[..9]).unwrap();
            stream
        })
        .collect();
    on_system(async {
        let carol = client(&lab, &Who::File("sae-carol"));
        for _ in 0..20 {
            assert_eq!(get(&carol, &url(&lab, CAROL, KEY_FOR_CELIA)).await, Ok(200));
        }
    });
    // They are hung up on once the time of a request is over.
    for mut stream in silent {
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        assert!(ended.is_ok() || ended.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
    }
    lab.ok(&["stop"]);
}

#[test]
fn both_versions_of_tls_are_spoken_and_the_key_exchange_is_post_quantum() {
    let lab = running();
    let address = ("127.0.0.1", lab.base_port + CAROL);
    let config = Arc::new(config(&lab, &Who::File("sae-carol")));
    let request =
        format!("GET {STATUS_OF_CELIA} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    // The second connection of the newer version resumes the session of the first: who it is is known as well.
    let cases = [
        (ProtocolVersion::TLSv1_3, NamedGroup::X25519MLKEM768),
        (ProtocolVersion::TLSv1_3, NamedGroup::X25519MLKEM768),
        (ProtocolVersion::TLSv1_2, NamedGroup::X25519),
    ];
    for (version, group) in cases {
        let config = match version {
            ProtocolVersion::TLSv1_3 => Arc::clone(&config),
            _ => Arc::new(config_of(
                &lab,
                &Who::File("sae-carol"),
                &[&rustls::version::TLS12],
            )),
        };
        let host = "localhost".try_into().unwrap();
        let mut session = rustls::ClientConnection::new(config, host).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let mut tls = rustls::Stream::new(&mut session, &mut stream);
        tls.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = tls.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{version:?}: {answer}");
        assert_eq!(session.protocol_version(), Some(version));
        let used = session.negotiated_key_exchange_group().unwrap();
        assert_eq!(used.name(), group, "{version:?}");
    }
    lab.ok(&["stop"]);
}

#[test]
fn saes_may_have_names_and_a_ca_of_their_own() {
    let uri = "urn:example:encryptor:7";
    let text = SMALL.replace(
        "\"sam\"]",
        &format!("{{ id = \"sam\", certificate = {{ san_uri = \"{uri}\" }} }}]"),
    );
    let lab = Lab::new(&text);
    lab.ok(&["pki", "init"]);
    // Another CA, which the topology believes for SAEs alone.
    let file = lab.folder().join("topology.toml");
    let topology = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{topology}sae_ca = \"pki/saes.pem\"\n")).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    std::fs::write(lab.folder().join("pki/saes.pem"), ca.pem()).unwrap();
    let ca = Issuer::new(params, key);
    let theirs = |name: &str, uri: Option<&str>| {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let uri = uri.map(|uri| rcgen::SanType::URI(uri.try_into().unwrap()));
        params.subject_alt_names.extend(uri);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        Who::Pem(certificate.pem(), key.serialize_pem())
    };
    lab.ok(&["start"]);
    let metrics = "/metrics";
    let operator = theirs("operator", None);
    for (who, path, expected) in [
        (Who::File("sae-sam"), STATUS_OF_CELIA, 200),
        (theirs("whoever", Some(uri)), STATUS_OF_CELIA, 200),
        (theirs("carol", None), STATUS_OF_CELIA, 200),
        // The name of an SAE whose certificate has another, and names that are not for this CA to give.
        (theirs("sam", None), STATUS_OF_CELIA, 401),
        (operator.clone(), metrics, 401),
        (theirs("monitor", None), metrics, 401),
        (theirs("client-carol", None), STATUS_OF_CELIA, 401),
    ] {
        assert_eq!(status(&lab, &who, CAROL, path), Ok(expected), "{path}");
    }
    lab.ok(&["stop"]);
}

#[test]
fn a_hub_is_believed_by_its_own_name_only() {
    let lab = running();
    let topology = dske::topology::Topology::read(&lab.folder().join("topology.toml")).unwrap();
    let tls = topology.tls.clone().unwrap();
    let files = dske::http::tls::TlsFiles {
        directory: tls.directory.clone(),
        ca: tls.ca_file(),
        sae_ca: None,
        crl: tls.crl,
        host: None,
    };
    let hub = |name: &str| dske::http::peer::Identity::Hub(name.parse().unwrap());
    let carol = dske::http::peer::Identity::Client("carol".parse().unwrap());
    let carol = dske::http::tls::Credentials::read(files, carol, topology.directory()).unwrap();
    on_system(async {
        for (expected, is_believed) in [(hub("hank"), true), (hub("helen"), false)] {
            let connector = awc::Connector::new().rustls_0_23(carol.client_config(Some(&expected)));
            let client = awc::Client::builder().connector(connector).finish();
            let asked = get(&client, &url(&lab, HANK, "/metrics")).await;
            assert_eq!(asked.is_ok(), is_believed, "{expected}: {asked:?}");
        }
    });
    lab.ok(&["stop"]);
}

/// What is wrong with files is said before anything runs: which file, and what to do.
#[test]
fn a_node_says_which_of_its_files_is_wrong() {
    let lab = certified();
    let pki = lab.folder().join("pki");
    let (pem, key) = (pki.join("hub-hank.pem"), pki.join("hub-hank.key"));
    let copy = |from: &str, to: &Path| {
        std::fs::copy(pki.join(from), to).unwrap();
    };
    let other = Lab::new(SMALL);
    other.ok(&["pki", "init"]);
    let others = other.folder().join("pki");
    type Spoil<'a> = Box<dyn Fn() + 'a>;
    let cases: Vec<(&str, Spoil<'_>)> = vec![
        (
            "hub-hank.key: cannot be read",
            Box::new(|| std::fs::remove_file(&key).unwrap()),
        ),
        (
            "hub-hank.key: can be read by others (mode 644); type `chmod 600`",
            Box::new(|| {
                let open = std::fs::Permissions::from_mode(0o644);
                std::fs::set_permissions(&key, open).unwrap();
            }),
        ),
        (
            "hub-hank.key: is not the key of",
            Box::new(|| copy("hub-helen.key", &key)),
        ),
        (
            "hub-hank.pem: is the certificate of \"hub-helen\", not of \"hub-hank\"",
            Box::new(|| {
                copy("hub-helen.pem", &pem);
                copy("hub-helen.key", &key);
            }),
        ),
        (
            "ca.pem: holds a private key where a certificate belongs",
            Box::new(|| copy("ca.key", &pki.join("ca.pem"))),
        ),
        (
            "hub-hank.pem: is not a certificate of the CA in",
            Box::new(|| {
                std::fs::copy(others.join("ca.pem"), pki.join("ca.pem")).unwrap();
                std::fs::copy(others.join("ca.crl"), pki.join("ca.crl")).unwrap();
            }),
        ),
        (
            "hub-hank.pem: holds no certificate in PEM",
            Box::new(|| std::fs::write(&pem, "").unwrap()),
        ),
        (
            "hub-hank.key: holds no private key in PEM",
            Box::new(|| std::fs::write(&key, "x").unwrap()),
        ),
        (
            "ca.crl: holds no revocation list in PEM",
            Box::new(|| std::fs::write(pki.join("ca.crl"), "x").unwrap()),
        ),
        (
            "ca.pem: has more than",
            Box::new(|| std::fs::write(pki.join("ca.pem"), vec![b'x'; 2 << 20]).unwrap()),
        ),
        (
            "hub-hank.pem: is revoked",
            Box::new(|| {
                lab.ok(&["pki", "revoke", "--hub", "hank"]);
            }),
        ),
    ];
    let names = ["hub-hank.pem", "hub-hank.key", "ca.pem", "ca.crl"];
    let kept = names.map(|name| (name, std::fs::read(pki.join(name)).unwrap()));
    for (expected, spoil) in cases {
        spoil();
        let said = lab.fails(1, &["hub", "hank"]);
        assert!(said.contains(expected), "{expected}: {said}");
        for (name, bytes) in &kept {
            let file = pki.join(name);
            let _ = std::fs::remove_file(&file);
            std::fs::write(&file, bytes).unwrap();
            let mode = if name.ends_with(".key") { 0o600 } else { 0o644 };
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}

#[test]
fn certificates_are_made_for_those_whom_the_topology_names() {
    let lab = Lab::new(SMALL);
    let none = lab.fails(1, &["pki", "show"]);
    assert!(none.contains("the topology has no section [tls]"), "{none}");
    lab.ok(&["pki", "init", "--out", "certificates"]);
    let stranger = lab.fails(2, &["pki", "issue", "--sae", "mallory"]);
    assert!(
        stranger.contains("the topology names no SAE mallory"),
        "{stranger}"
    );
    lab.fails(2, &["pki", "issue"]);
    lab.fails(2, &["pki", "issue", "--operator", "--monitor"]);
    let elsewhere = lab.fails(1, &["pki", "init"]);
    assert!(
        elsewhere.contains("has its certificates in certificates, not in pki"),
        "{elsewhere}"
    );
    let shown = lab.ok(&["pki", "show"]);
    // Two hubs, two clients, three SAEs, an operator and a monitor.
    assert_eq!(shown.lines().count(), 9, "{shown}");
    assert!(
        shown.lines().all(|line| line.contains("valid for 36")),
        "{shown}"
    );
}

//! A bare actix-web route in a process of its own: no protocol behind this HTTP stack could be faster.
//!
//! It gives the same answer as a client that is asked for a key, with the same number of workers, and does nothing else.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use dske::http::etsi::{ContainedKey, KeyContainer};

use super::closed_loop;
use super::condition::Condition;
use super::data::Run;
use crate::EtsiClient;
use crate::println;
use crate::process::ChildGuard;

/// The argument with which the benchmark serves the route and does nothing else.
pub const ARGUMENT: &str = "bare-route";

const PATH: &str = "/";

/// Far more than any answer takes.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Serves the route on a free port, which it prints, until the process is told to end.
///
/// # Errors
/// If no port is free, or the server fails.
pub fn serve() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    io::stdout().flush()?;
    actix_rt::System::new().block_on(async move {
        let key = || async { web::Json(one_key()) };
        HttpServer::new(move || App::new().route(PATH, web::get().to(key)))
            .workers(1)
            .listen(listener)?
            .run()
            .await
    })
}

/// The answer of a client: one key of 256 bits.
fn one_key() -> KeyContainer {
    KeyContainer {
        keys: vec![ContainedKey {
            key_ID: "bc490419-7d60-487f-adc1-4ddcc177c139".to_owned(),
            key: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
                .to_owned()
                .into(),
        }],
    }
}

/// A running bare route.
pub(super) struct Bare {
    /// Killed when this is dropped.
    _process: ChildGuard,
    address: String,
}

impl Bare {
    /// Starts `program`, which must call [`serve`] when its first argument is [`ARGUMENT`].
    pub(super) fn start(program: &Path) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg(ARGUMENT)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take();
        let process = ChildGuard::new(child);
        let stdout = stdout.ok_or_else(|| io::Error::other("it has no standard output"))?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self {
            _process: process,
            address: line.trim().to_owned(),
        })
    }

    /// Two requests, one after the other, count as a key.
    pub(super) async fn measure(&self, condition: &Condition, times: (Duration, Duration)) -> Run {
        let concurrency = condition.concurrency.unwrap_or(1);
        let connector = awc::Connector::new().limit(concurrency);
        let http = awc::Client::builder().connector(connector).finish();
        let client = EtsiClient::new(http, &self.address, TIMEOUT);
        let ask = async || {
            let answer: Result<KeyContainer, _> = client.get(PATH, None).await;
            answer.map(drop).map_err(|error| error.to_string())
        };
        let twice = async || {
            ask().await?;
            ask().await
        };
        closed_loop::run(concurrency, (1, condition.size_bits), times, twice).await
    }
}

//! A plain TCP connection, for requests that no HTTP client would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A little more than a node grants a request.
const WITHIN: Duration = Duration::from_secs(15);

/// After this, nothing more is taken.
const STUCK: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    stream: TcpStream,
    /// Bytes that were read and are not part of an earlier response.
    read: Vec<u8>,
}

pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl RawResponse {
    /// Whether the server says that it closes the connection.
    pub(crate) fn closes(&self) -> bool {
        self.head.to_lowercase().contains("\r\nconnection: close")
    }
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Self {
        let stream = timeout(WITHIN, TcpStream::connect(address)).await;
        Self {
            stream: stream.unwrap().unwrap(),
            read: Vec::new(),
        }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let written = timeout(WITHIN, self.stream.write_all(bytes.as_ref())).await;
        written.unwrap().unwrap();
    }

    /// Writes for as long as the server takes it. Returns how much it took.
    pub(crate) async fn push(&mut self, mut bytes: &[u8]) -> usize {
        let all = bytes.len();
        while let Ok(Ok(written)) = timeout(STUCK, self.stream.write(bytes)).await {
            bytes = &bytes[written..];
            if written == 0 || bytes.is_empty() {
                break;
            }
        }
        all - bytes.len()
    }

    /// Waits until the server has ended the connection, and returns how many bytes came before.
    pub(crate) async fn end(&mut self, within: Duration) -> usize {
        let end = async { while self.more().await.is_some() {} };
        let ended = timeout(within, end).await;
        ended.expect("the server ends the connection");
        self.read.len()
    }

    /// Sends a request, other than HEAD, and reads its response.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> RawResponse {
        self.write(request).await;
        let response = self.response(false).await;
        response.expect("the server answers in full")
    }

    /// The next response. `None` if the connection ends, or is reset, before it is complete. `to_head`: the request
    /// was HEAD, so that no body follows whatever the head says.
    pub(crate) async fn response(&mut self, to_head: bool) -> Option<RawResponse> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse::<usize>().unwrap())
        });
        let length = if to_head { 0 } else { length.unwrap_or(0) };
        while self.read.len() < length {
            self.more().await?;
        }
        Some(RawResponse {
            status: head.split(' ').nth(1)?.parse().unwrap(),
            head,
            body: self.read.drain(..length).collect(),
        })
    }

    async fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        let read = timeout(WITHIN, self.stream.read(&mut buffer)).await;
        match read.expect("the server answers or closes") {
            Ok(0) | Err(_) => None,
            Ok(n) => {
                self.read.extend_from_slice(&buffer[..n]);
                Some(())
            }
        }
    }
}

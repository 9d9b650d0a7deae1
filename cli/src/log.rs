//! The log of a node. It never keeps the node waiting, never fails, and never grows without bound.
//!
//! A thread of its own writes the lines, which wait for it in a short queue. What does not fit, or cannot be written, is
//! counted, and the next line that can be written says how much was left out. The log goes to standard error, or to the
//! file that `DSKE_LOG_FILE` names: that one becomes the node's whole output, and is set aside for a new one when it is
//! full, so that there is at most one older file beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::panic;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::stdio::{dup2_stderr, dup2_stdout};
use tokio::time::Instant;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use dske_testbed::files::{LOG_FILE_VARIABLE, older_log};

/// Lines that wait to be written.
const QUEUE_LINES: usize = 1024;

/// A file of this size is set aside. There is one older file at most.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// How long a node that ends waits until its last lines are written.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// Strangers decide how often some events happen, such as requests that are no HTTP. Each kind of event is logged this
/// often in a [`PERIOD`], and counted from then on.
const LINES_PER_PERIOD: u64 = 20;

const PERIOD: Duration = Duration::from_secs(60);

/// What a process ends with after a panic, as Rust has it.
const PANIC_CODE: i32 = 101;

/// The log of this process.
#[derive(Clone)]
pub(super) struct Log {
    queue: SyncSender<Entry>,
    left_out: Arc<AtomicU64>,
}

enum Entry {
    Line(Vec<u8>),
    /// Answered when all that came before is written.
    Flush(SyncSender<()>),
}

impl Log {
    /// Starts the log of a node: what its libraries say goes there, and a panic in any of its threads, which ends it.
    ///
    /// # Errors
    /// If the file that `DSKE_LOG_FILE` names cannot be opened.
    pub(super) fn start() -> Result<Self, (PathBuf, io::Error)> {
        let file = std::env::var_os(LOG_FILE_VARIABLE).map(PathBuf::from);
        let file = file.map(|path| LogFile::open(&path).map_err(|error| (path, error)));
        let (queue, entries) = sync_channel(QUEUE_LINES);
        let log = Self {
            queue,
            left_out: Arc::default(),
        };
        let writer = Writer {
            file: file.transpose()?,
            left_out: Arc::clone(&log.left_out),
        };
        thread::spawn(move || writer.follow(&entries));
        log.end_on_panic();
        let lines = log.clone();
        tracing_subscriber::registry()
            .with(
                EnvFilter::try_from_env("DSKE_LOG")
                    .unwrap_or_else(|_| EnvFilter::new("warn,dske=info")),
            )
            .with(Sparing::new(log.clone()))
            .with(fmt::layer().with_writer(move || Line(lines.clone())))
            .init();
        Ok(log)
    }

    /// A node whose thread is gone looks alive, and is not: it must end, so that somebody notices.
    fn end_on_panic(&self) {
        let log = self.clone();
        panic::set_hook(Box::new(move |panic| {
            let thread = thread::current();
            let name = thread.name().unwrap_or("without a name");
            log.line(format!(
                "thread {name}: {panic}\nThe node ends, since one of its threads panicked.\n"
            ));
            log.flush();
            process::exit(PANIC_CODE);
        }));
    }

    fn line(&self, line: impl Into<Vec<u8>>) {
        if self.queue.try_send(Entry::Line(line.into())).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all lines are written, but not for long.
    pub(super) fn flush(&self) {
        let (done, flushed) = sync_channel(1);
        // A full queue belongs to a log that nobody reads: there is nothing to wait for.
        if self.queue.try_send(Entry::Flush(done)).is_ok() {
            let _ = flushed.recv_timeout(FLUSH_WITHIN);
        }
    }
}

/// Takes one line of the log.
struct Line(Log);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Writer {
    file: Option<LogFile>,
    left_out: Arc<AtomicU64>,
}

impl Writer {
    fn follow(mut self, entries: &Receiver<Entry>) {
        for entry in entries {
            match entry {
                Entry::Line(line) => self.write(&line),
                Entry::Flush(done) => {
                    let _ = done.try_send(());
                }
            }
        }
    }

    fn write(&mut self, line: &[u8]) {
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        let mut text = match left_out {
            0 => Vec::with_capacity(line.len()),
            _ => format!("{left_out} lines could not be written before this one\n").into_bytes(),
        };
        text.extend_from_slice(line);
        if io::stderr().write_all(&text).is_err() {
            self.left_out.fetch_add(left_out + 1, Ordering::Relaxed);
        } else if let Some(file) = &mut self.file {
            file.written(text.len() as u64);
        }
    }
}

/// The file that is the output of this process.
struct LogFile {
    path: PathBuf,
    bytes: u64,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        dup2_stdout(&file)?;
        dup2_stderr(&file)?;
        Ok(Self {
            path: path.to_owned(),
            bytes: file.metadata()?.len(),
        })
    }

    /// Sets the file aside if it is full.
    fn written(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.bytes < FILE_BYTES_MAX {
            return;
        }
        let renamed = std::fs::rename(&self.path, older_log(&self.path));
        match renamed.and_then(|()| Self::open(&self.path)) {
            Ok(new) => *self = new,
            // What cannot be set aside is written over: the log is bounded whatever happens.
            Err(_) => {
                let file = File::options().write(true).truncate(true).open(&self.path);
                drop(file);
                self.bytes = 0;
            }
        }
    }
}

/// Logs each kind of event a few times in a period, and says how many it has left out. Whoever asks for more than the
/// usual, with `DSKE_LOG=debug`, gets all of that.
struct Sparing {
    log: Log,
    /// By the place in the source that logs it, of which there are not many.
    kinds: Mutex<BTreeMap<&'static str, Seen>>,
}

struct Seen {
    since: Instant,
    count: u64,
}

impl Sparing {
    fn new(log: Log) -> Self {
        Self {
            log,
            kinds: Mutex::default(),
        }
    }

    /// Whether an event of this kind is logged.
    fn admits(&self, kind: &'static str, now: Instant) -> bool {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = kinds.entry(kind).or_insert(Seen {
            since: now,
            count: 0,
        });
        if now - seen.since >= PERIOD {
            if let Some(left_out) = seen.count.checked_sub(LINES_PER_PERIOD + 1) {
                let left_out = left_out + 1;
                self.log.line(format!(
                    "{left_out} lines like the next one were left out in {} s\n",
                    (now - seen.since).as_secs()
                ));
            }
            *seen = Seen {
                since: now,
                count: 0,
            };
        }
        seen.count += 1;
        seen.count <= LINES_PER_PERIOD
    }
}

impl<S: Subscriber> Layer<S> for Sparing {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let about = event.metadata();
        *about.level() > Level::INFO || self.admits(about.name(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn log() -> (Log, Receiver<Entry>) {
        let (queue, entries) = sync_channel(QUEUE_LINES);
        let left_out = Arc::default();
        (Log { queue, left_out }, entries)
    }

    #[test]
    fn a_queue_that_nobody_empties_costs_no_time_and_is_counted() {
        let (log, entries) = log();
        for _ in 0..QUEUE_LINES + 7 {
            log.line("line\n");
        }
        assert_eq!(log.left_out.load(Ordering::Relaxed), 7);
        log.flush();
        assert_eq!(entries.try_iter().count(), QUEUE_LINES);
    }

    #[test]
    fn an_event_that_repeats_is_logged_sparingly_and_counted() {
        let (log, entries) = log();
        let sparing = Sparing::new(log);
        let now = Instant::now();
        let admitted = (0..1000).filter(|_| sparing.admits("event a.rs:1", now));
        let admitted = admitted.count();
        assert_eq!(admitted as u64, LINES_PER_PERIOD);
        assert!(sparing.admits("event a.rs:2", now), "another kind");
        assert!(sparing.admits("event a.rs:1", now + PERIOD));
        let Ok(Entry::Line(line)) = entries.try_recv() else {
            panic!("it says how many were left out")
        };
        let line = String::from_utf8(line).unwrap();
        assert!(line.starts_with("980 lines like the next one"), "{line}");
        assert!(entries.try_recv().is_err(), "and nothing else");
    }

    const IN_CHILD: &str = "DSKE_LOG_TEST_CHILD";

    /// Runs this test again in a process of its own, whose output is `stderr`, and gives its exit code.
    fn again(test: &str, log: Option<&Path>, stderr: Stdio) -> Option<i32> {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", &format!("log::tests::{test}"), "--nocapture"])
            .env(IN_CHILD, "1")
            .stdout(Stdio::null())
            .stderr(stderr);
        if let Some(log) = log {
            command.env(LOG_FILE_VARIABLE, log);
        }
        command.status().unwrap().code()
    }

    fn is_child() -> bool {
        std::env::var_os(IN_CHILD).is_some()
    }

    #[test]
    fn a_panic_in_any_thread_ends_the_process_and_is_in_the_log() {
        if is_child() {
            let _log = Log::start().unwrap();
            let _ = thread::spawn(|| panic!("on purpose")).join();
            process::exit(0);
        }
        let test = "a_panic_in_any_thread_ends_the_process_and_is_in_the_log";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        assert_eq!(again(test, Some(&path), Stdio::null()), Some(PANIC_CODE));
        let said = std::fs::read_to_string(path).unwrap();
        assert!(
            said.contains("on purpose") && said.contains("log.rs"),
            "{said}"
        );
        // A log that cannot be written makes no difference.
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(again(test, None, full.into()), Some(PANIC_CODE));
    }

    #[test]
    fn a_log_is_bounded_by_one_older_file() {
        if is_child() {
            let log = Log::start().unwrap();
            let line = [&[b'x'; (1 << 20) - 1][..], b"\n"].concat();
            for _ in 0..3 * (FILE_BYTES_MAX >> 20) {
                log.line(line.clone());
                log.flush();
            }
            log.line("the end\n");
            log.flush();
            process::exit(7);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        let test = "a_log_is_bounded_by_one_older_file";
        assert_eq!(again(test, Some(&path), Stdio::null()), Some(7));
        let bytes = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert_eq!(bytes(&older_log(&path)), FILE_BYTES_MAX);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "the end\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

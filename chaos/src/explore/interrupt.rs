//! Ctrl-C and SIGTERM: what has begun is finished, nothing new is begun, and what was found is reported.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dske_testbed::eprintln;
use tokio::signal::unix::{SignalKind, signal};

/// The exit code of an interrupted command, as shells have it for Ctrl-C.
pub const EXIT_CODE: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether this process was asked to end.
#[must_use]
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Watches for both signals from now on. The first ends the work in order, the second the process.
pub fn watch() {
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build();
            // Without one, a signal ends the process, as it would without this.
            let Ok(runtime) = runtime else { return };
            runtime.block_on(follow(kind));
        });
    }
}

async fn follow(kind: SignalKind) {
    let Ok(mut signals) = signal(kind) else {
        return;
    };
    while signals.recv().await.is_some() {
        if ASKED.swap(true, Ordering::Relaxed) {
            process::exit(EXIT_CODE.into());
        }
        eprintln!("interrupted: the runs that have begun are finished; once more to stop at once");
    }
}

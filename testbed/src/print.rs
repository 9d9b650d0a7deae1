//! What commands print. Standard output may be closed or full, and no command ends in a panic over that.
//!
//! Whoever closes the other end of a pipe has read enough: the rest is dropped, and the command goes on as if nothing had
//! happened. Every other failure is kept until [`end`] reports it, so that a command can finish its work first. Colours
//! appear only where the terminal has them and `NO_COLOR` is not set.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

static OUTPUT: Mutex<Output> = Mutex::new(Output::Open);

enum Output {
    Open,
    /// Nobody reads, or the failure was told.
    Over,
    /// Nothing more is written.
    Failed(io::Error),
}

/// Prints to standard output. [`print!`](crate::print!) and [`println!`](crate::println!) are shorter.
pub fn out(text: fmt::Arguments<'_>) {
    write(|stdout| stdout.write_fmt(text));
}

/// Prints to standard error. If that fails, there is nobody left to tell.
pub fn err(text: fmt::Arguments<'_>) {
    let _ = anstream::stderr().write_fmt(text);
}

/// Why what was printed so far has not arrived. It is told once.
pub fn failure() -> Option<io::Error> {
    write(|stdout| stdout.flush());
    let mut output = output();
    match std::mem::replace(&mut *output, Output::Over) {
        Output::Failed(error) => Some(error),
        before => {
            *output = before;
            None
        }
    }
}

/// The exit code of a command that would end with `code`: 1, with a line on standard error, if its output was lost.
#[must_use]
pub fn end(code: ExitCode) -> ExitCode {
    match failure() {
        Some(error) => {
            crate::eprintln!("error: standard output cannot be written: {error}");
            ExitCode::FAILURE
        }
        None => code,
    }
}

fn write(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let mut output = output();
    if !matches!(*output, Output::Open) {
        return;
    }
    match write(&mut anstream::stdout()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => *output = Output::Over,
        Err(error) => *output = Output::Failed(error),
    }
}

fn output() -> MutexGuard<'static, Output> {
    OUTPUT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints to standard output, as [`print::out`](crate::print::out) does.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::print::out(format_args!($($text)*)) };
}

/// Prints a line to standard output, as [`print::out`](crate::print::out) does.
#[macro_export]
macro_rules! println {
    ($($text:tt)*) => { $crate::print::out(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints a line to standard error, as [`print::err`](crate::print::err) does.
#[macro_export]
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::print::err(format_args!("{}\n", format_args!($($text)*))) };
}

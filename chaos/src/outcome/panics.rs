//! Panics of runs: each is a violation like any other, with the place where it came from.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::judge::violation::{Panic, Place};

/// What the hook needs to know of this thread.
enum Watch {
    /// No run: a panic here is printed as usual.
    Outside,
    /// A run that has not panicked.
    Running,
    /// The first panic of a run. What it says is lost otherwise: the simulator replaces it by a message of its own.
    Panicked(Panic),
}

thread_local! {
    static WATCH: RefCell<Watch> = const { RefCell::new(Watch::Outside) };
}

/// Keeps what panics in runs say for their violations, instead of printing it over the progress bar.
pub fn capture() {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_outside = WATCH.with_borrow_mut(|watch| {
            if matches!(watch, Watch::Running) {
                *watch = Watch::Panicked(of(info));
            }
            matches!(watch, Watch::Outside)
        });
        if is_outside {
            default(info);
        }
    }));
}

/// Does what may panic, as a part of a run.
pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, Panic> {
    let before = WATCH.replace(Watch::Running);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    let watch = WATCH.replace(before);
    result.map_err(|cause| match watch {
        Watch::Panicked(panic) => panic,
        Watch::Outside | Watch::Running => Panic {
            place: None,
            message: text(cause.as_ref()),
        },
    })
}

fn of(info: &PanicHookInfo<'_>) -> Panic {
    let place = info.location().map(|location| Place {
        file: location.file().to_owned(),
        line: location.line(),
        column: location.column(),
    });
    Panic {
        place,
        message: text(info.payload()),
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let borrowed = payload.downcast_ref::<&str>().copied();
    let text = borrowed.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_place_and_only_the_first_one_counts() {
        capture();
        assert_eq!(catch(|| 7), Ok(7));
        let line = line!() + 3;
        let caught = catch(|| {
            // The first of two: the second replaces it, as the simulator does.
            let first = catch_quietly(|| panic!("first\nof two"));
            assert!(first.is_err());
            panic!("second")
        });
        let panic = caught.map(|()| "nothing").unwrap_err();
        let place = panic.place.clone().unwrap();
        assert_eq!((place.file.as_str(), place.line), (file!(), line));
        assert_eq!(panic.message, "first of two");
        let line = format!(
            "panicked at {}:{}:{}: first of two",
            place.file, line, place.column
        );
        assert_eq!(panic.to_string(), line);
        // One run knows nothing of another.
        assert_eq!(catch(|| ()), Ok(()));
    }

    fn catch_quietly(run: impl FnOnce()) -> std::thread::Result<()> {
        panic::catch_unwind(AssertUnwindSafe(run))
    }
}

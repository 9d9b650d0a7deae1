//! How an operation can fail.

use dske::http::etsi_client::CallError;

/// Failures that must never happen: both sides have keys, but not the same ones, or not those that were asked for. All
/// other failures are a matter of capacity.
pub(super) const WRONG: [&str; 4] = [KEYS_DIFFER, WRONG_IDS, WRONG_NUMBER, WRONG_SIZE];

pub(super) const KEYS_DIFFER: &str = "keys-differ";
pub(super) const WRONG_IDS: &str = "wrong-key-ids";
pub(super) const WRONG_NUMBER: &str = "wrong-number-of-keys";
pub(super) const WRONG_SIZE: &str = "wrong-size-of-a-key";

/// An operation of an open loop that did not begin.
pub(super) const OVERLOADED: &str = "generator-overloaded";

/// Why an operation failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What it is counted as.
    pub(super) kind: String,
    /// What it was this time.
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.into(),
        }
    }

    /// `method` as the command `dske etsi-qkd` calls it.
    pub(super) fn call(method: &str, error: &CallError) -> Self {
        let what = match error {
            CallError::Refused { status, .. } => status.to_string(),
            CallError::NotMade(_) | CallError::Unknown(_) => "no-answer".to_owned(),
        };
        Self::new(&format!("{method}-{what}"), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_fail_are_counted_by_method_and_status() {
        let refused = CallError::Refused {
            status: 503,
            message: "not enough hubs".to_owned(),
        };
        let failure = Failure::call("get-key", &refused);
        assert_eq!(failure.kind, "get-key-503");
        assert_eq!(failure.message, "status 503: not enough hubs");
        let unknown = CallError::Unknown("timeout".to_owned());
        assert_eq!(
            Failure::call("get-key-with-key-ids", &unknown).kind,
            "get-key-with-key-ids-no-answer"
        );
    }
}

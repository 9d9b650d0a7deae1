//! What each invariant says, in plain words.

/// An invariant's name as campaigns write it, and what it promises.
pub(super) const KNOWN: &[(&str, &str)] = &[
    (
        "agreement",
        "All sides get the same key under a key ID, bit by bit, and no two keys are the same.",
    ),
    (
        "no-false-key",
        "Fewer than K lying hubs never make a client accept a key that was not drawn for it.",
    ),
    (
        "secrecy",
        "Fewer than K hubs learn nothing, even with the whole network traffic.",
    ),
    (
        "one-time",
        "No byte of pre-shared random data ever serves two messages.",
    ),
    (
        "authentic",
        "A message is accepted only if its sender really made it.",
    ),
    (
        "established",
        "A master gets keys only after K hubs have said that they hold shares of them.",
    ),
    (
        "answered",
        "Every call is answered within its deadline, whatever the answer is.",
    ),
    (
        "availability",
        "While K honest hubs can be reached, every call succeeds in time.",
    ),
    (
        "blame",
        "Only hubs that lied are blamed, and every hub whose lie was met is blamed.",
    ),
    (
        "access",
        "Only the SAEs named for a key ever get it, each once, however late it asks again.",
    ),
    (
        "fair",
        "What one SAE does within the rules costs the others next to nothing.",
    ),
    (
        "nothing-for-nobody",
        "No message is sent for a call that has ended, but for late shares in the background.",
    ),
    (
        "bounded-work",
        "Searching for keys takes no more work than the calls allow that are under way.",
    ),
    (
        "quiet",
        "Where nothing goes wrong, nothing is done twice and nothing runs short.",
    ),
    (
        "accounts",
        "What a node counts is what its SAEs and the network saw.",
    ),
    (
        "margin",
        "A hub that can be reached is sent its share of every key, although K would do.",
    ),
    (
        "waiting",
        "A call waits for hubs that were prompt, and for no others.",
    ),
    (
        "recovery",
        "Once the faults stop, everything works again within a bounded time.",
    ),
    (
        "bounds",
        "Stores and queues stay within their limits, and drain.",
    ),
    (
        "client-as-specified",
        "Every call ends as a model of a client says, with its keys, and with its blame.",
    ),
    (
        "hub-as-specified",
        "A hub answers what a model of a hub says, and holds what the model holds.",
    ),
    (
        "refused-as-specified",
        "A call that is wrong is refused at once, as the standard says, and nothing is done for it.",
    ),
    (
        "status-as-specified",
        "A status tells what is true, and promises what can be delivered.",
    ),
];

/// The plain words for `name`; empty for an invariant that is not among [`KNOWN`].
pub(super) fn meaning(name: &str) -> &'static str {
    let plain = name.replace(['_', ' '], "-").to_lowercase();
    KNOWN
        .iter()
        .find(|(known, _)| *known == plain)
        .map_or("", |(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_of_the_gaps_does_not_matter() {
        assert_eq!(meaning("no_false_key"), meaning("no-false-key"));
        assert!(!meaning("One time").is_empty());
        assert_eq!(meaning("unheard-of"), "");
    }
}

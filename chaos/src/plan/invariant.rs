//! What must hold on every run, by name. How it is judged is in `judge`.

use super::named::named;

named! {
    /// An invariant.
    pub enum Invariant {
        /// A key delivered for a key ID is the same for master and slaves, and no two keys are.
        Agreement = "agreement",
        /// No key is delivered that its initiator did not draw.
        NoFalseKey = "no-false-key",
        /// Fewer than K hubs, even with the whole network traffic, learn nothing: every key remains equally likely.
        Secrecy = "secrecy",
        /// No byte of PSRD serves two messages, and nobody can use up another's.
        OneTime = "one-time",
        /// No message is accepted that its sender did not make.
        Authentic = "authentic",
        /// A master is given keys only after K hubs have said that they hold them.
        Established = "established",
        /// A KME that is up answers every call within its deadline.
        Answered = "answered",
        /// With K honest hubs in reach a call succeeds.
        Availability = "availability",
        /// Only liars are blamed, and every liar whose lie reached a client is blamed.
        Blame = "blame",
        /// Only named SAEs get a key, each once, across restarts and late repeats.
        Access = "access",
        /// What one SAE does within the rules costs the others next to nothing.
        Fair = "fair",
        /// No message leaves for a call that has ended, but for the background delivery that is specified.
        NothingForNobody = "nothing-for-nobody",
        /// Searching for keys takes no more work than the calls allow that are under way.
        BoundedWork = "bounded-work",
        /// Where nothing goes wrong, nothing is done twice and nothing runs short.
        Quiet = "quiet",
        /// What a node counts is what its SAEs and the wire saw.
        Accounts = "accounts",
        /// A hub in reach is sent its share of every key that a master is given.
        Margin = "margin",
        /// A call waits for hubs that were prompt, and for no others.
        Waiting = "waiting",
        /// When the faults are over, everything works again within a bounded time.
        Recovery = "recovery",
        /// Stores stay within their limits, and drain. At the end nothing is in flight.
        Bounds = "bounds",
        /// Calls end, liars are blamed, and links register as the model of a client says.
        ClientAsSpecified = "client-as-specified",
        /// A call that is wrong is refused as the standard says, at once, and nothing is done for it.
        RefusedAsSpecified = "refused-as-specified",
        /// Get status tells what is true, and promises what can be delivered.
        StatusAsSpecified = "status-as-specified",
        /// A hub answers what the model of a hub says, and holds what the model holds.
        HubAsSpecified = "hub-as-specified",
    }
}

//! What is not covered. `docs/chaos.md` has the same list, and a test compares the two.

use maud::{Markup, html};

/// What no campaign can find: what it is about, and why.
pub const UNCOVERED: [(&str, &str); 11] = [
    (
        "Side channels",
        "timing outside the field arithmetic and the comparisons, caches, power, memory that the operating system leaves \
         behind.",
    ),
    (
        "Real networks",
        "loss appears as whole messages that are late, as TCP shows it to its users. There is no congestion and no \
         reordering within a stream.",
    ),
    ("Clocks that drift", "all nodes share one clock."),
    ("Disks", "nodes keep nothing on disk."),
    (
        "Load",
        "memory and processors never run short, and latencies are those of the model, not of hardware.",
    ),
    (
        "What the simulation replaces",
        "the operating system's TCP, generator and clock.",
    ),
    ("Larger clusters", "more than 16 hubs or 5 clients."),
    (
        "The delivery of PSRD",
        "how it reaches clients and hubs, and how random it is.",
    ),
    (
        "K hubs that collude",
        "they know the key by construction, and no protocol of this kind can prevent it.",
    ),
    (
        "Secrets elsewhere",
        "statuses, metrics, logs, and answers of a client's routes other than those for SAEs are not searched for secrets.",
    ),
    (
        "Runs that no seed drew",
        "simulation finds violations; finding none is evidence, not proof.",
    ),
];

/// The section of the page.
pub(super) fn section() -> Markup {
    html! {
        section #uncovered {
            h2 { "What is not covered" }
            ul { @for (what, why) in UNCOVERED { li { b { (what) } ": " (why) } } }
        }
    }
}

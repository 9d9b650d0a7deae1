//! Where the CPU time of a key goes.

use dske_report::bars::{self, ROW};
use dske_report::canvas::Ink;
use dske_report::text::{count, shorten};
use dske_report::{Section, Table};
use maud::{Markup, html};

use super::details;
use super::words::keys_asked_for;
use crate::measure::words::number;
use crate::throughput::data::{Profile, RoleProfile, Throughput};
use crate::throughput::plan::Part;
use crate::throughput::profile::rules::{
    CATEGORIES, CRYPTO, ENCODING, HTTP, KERNEL, MEMORY, OTHER, PROTOCOL, PSRD, RANDOM, RUNTIME,
};
use crate::throughput::table::cpu;

const TITLE: &str = "Where the CPU time of a key goes";

/// Characters of a function's name that are shown.
const NAME_MAX: usize = 90;

/// The section, or the reason why there is none; empty where no profile was asked for.
pub(super) fn section(data: &Throughput) -> Markup {
    if data.profiles.is_empty() {
        return left_out(data);
    }
    let samples: u64 = data.profiles.iter().map(|profile| profile.samples).sum();
    let is_kernel_seen = data.profiles.iter().all(|profile| profile.kernel_seen);
    let legend = CATEGORIES.map(|(name, _)| (name, ink(name)));
    Section {
        id: "profile",
        title: TITLE,
        lead: html! {
            "N = 5, K = 3, under the loads that have targets. The nodes themselves report how much CPU time they use ("
            code { "/metrics" } "); " (count(samples)) " samples by " code { "perf" } " divide it up, each by the innermost function \
             with a known purpose."
            @if !is_kernel_seen { " perf could not look into the kernel: the kernel's time is spread over the rest." }
        },
        legend: bars::legend(&legend),
        panels: html! {
            @for profile in &data.profiles { (bars(profile)) }
            (meanings())
        },
        caption: html! {
            "Each panel has its own scale. " b { "What to see:" } " the longest part is where the next gain is. The kernel's part is the \
             price of a process for each node: it falls with the number and the size of messages."
        },
        tables: html! {
            @for profile in &data.profiles { (functions(profile)) }
            (details(Table::of("cpu", &cpu(data))))
        },
    }
    .html()
}

fn left_out(data: &Throughput) -> Markup {
    let left_out = data.left_out.iter().find(|left| left.part == Part::Profile);
    html! {
        @if let Some(left_out) = left_out {
            section id="profile" {
                h2 { (TITLE) }
                p { "Left out: " (left_out.reason) ". This part needs " code { "perf" } ", and permission to use it." }
            }
        }
    }
}

fn ink(category: &str) -> Ink {
    match category {
        CRYPTO => Ink::Good,
        RANDOM => Ink::Fault,
        PSRD => Ink::Blame,
        PROTOCOL => Ink::Text,
        ENCODING => Ink::Lying,
        HTTP => Ink::Down,
        RUNTIME => Ink::Grid,
        MEMORY => Ink::Bad,
        KERNEL => Ink::Muted,
        _ => Ink::Band,
    }
}

fn bars(profile: &Profile) -> Markup {
    let total = |role: &RoleProfile| role.us_per_key.values().sum::<f64>();
    let most = profile.roles.iter().map(total).fold(1.0, f64::max);
    let title = format!("{}: CPU time of a key", keys_asked_for(&profile.condition));
    let height = 30 + 2 * ROW * profile.roles.len() as i32;
    bars::draw(&title, most, height, |rows| {
        let mut y = 40;
        for role in &profile.roles {
            rows.label(y, words(&role.role), Ink::Text);
            let mut from = 0.0;
            for (category, _) in CATEGORIES {
                let us = role.us_per_key.get(category).copied().unwrap_or(0.0);
                if us > 0.0 {
                    rows.bar(y, from, from + us, ink(category));
                }
                from += us;
            }
            rows.value(y, from, &time(from));
            y += 2 * ROW;
        }
    })
}

fn time(us: f64) -> String {
    if us < 1_000.0 {
        format!("{} µs", number(us))
    } else {
        format!("{} ms", number(us / 1e3))
    }
}

fn words(role: &str) -> &str {
    match role {
        "hubs" => "all hubs",
        other => other,
    }
}

/// What belongs to each category.
fn meanings() -> Markup {
    let known = CATEGORIES.iter().filter(|(name, _)| *name != OTHER);
    html! {
        div.scroll {
            table { tbody { @for (name, meaning) in known { tr { td.name { (name) } td { (meaning) } } } } }
        }
    }
}

fn functions(profile: &Profile) -> Markup {
    html! {
        details {
            summary { "The functions that take most: " (keys_asked_for(&profile.condition)) }
            @for role in profile.roles.iter().filter(|role| !role.functions.is_empty()) {
                h3 { (words(&role.role)) }
                div.scroll {
                    table {
                        thead { tr { th { "function, without those that it calls" } th { "µs a key" } th { "category" } } }
                        tbody {
                            @for function in &role.functions {
                                tr {
                                    td { code { (shorten(&function.name, NAME_MAX)) } }
                                    td { (number(function.us_per_key)) }
                                    td { (function.category) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

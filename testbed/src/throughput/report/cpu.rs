//! Where the CPU time of a key goes.

use super::words::{keys_asked_for, number};
use crate::throughput::data::{LeftOut, Profile, RoleProfile, Throughput};
use crate::throughput::plan::Part;
use crate::throughput::profile::rules::{
    CATEGORIES, CRYPTO, ENCODING, HTTP, KERNEL, MEMORY, OTHER, PROTOCOL, PSRD, RANDOM, RUNTIME,
};
use crate::throughput::table::{FOLDER, tables};
use dske_report::Section;
use dske_report::bars::{self, ROW};
use dske_report::canvas::Ink;
use dske_report::text::{count, escape, shorten};
use maud::PreEscaped;

/// Characters of a function's name that are shown.
const NAME_MAX: usize = 90;

/// The section, the reason why there is none, or an empty string where it was not asked for.
pub(super) fn section(data: &Throughput) -> String {
    if data.profiles.is_empty() {
        let reasons = data
            .left_out
            .iter()
            .filter(|left| left.part == Part::Profile);
        return reasons.map(left_out).collect();
    }
    let samples: u64 = data.profiles.iter().map(|profile| profile.samples).sum();
    let is_kernel_seen = data.profiles.iter().all(|profile| profile.kernel_seen);
    let table = tables(data).into_iter().find(|table| table.name == "cpu");
    Section {
        id: "profile",
        title: "Where the CPU time of a key goes",
        lead: PreEscaped(format!(
            "N = 5, K = 3, under the loads that have targets. How much it is, the nodes say themselves (<code>/metrics</code>); {} \
             samples by <code>perf</code> divide it up, each by the innermost function that is known to be for something.{}",
            count(samples),
            if is_kernel_seen {
                ""
            } else {
                " The kernel could not be looked into: its time is spread over the rest."
            }
        )),
        legend: PreEscaped(legend()),
        panels: PreEscaped(data.profiles.iter().map(bars).collect::<String>() + &meanings()),
        caption: PreEscaped("Each panel has its own scale. <b>What to see:</b> the longest piece is where the next gain is. The kernel's is the \
                  price of a process for each node: it falls with the number and the size of messages."
            .to_owned()),
        tables: PreEscaped(functions(data) + &table.map_or_else(String::new, |t| t.details(FOLDER).into_string())),
    }
    .html().into_string()
}

fn left_out(left: &LeftOut) -> String {
    format!(
        r#"<section id="profile"><h2>Where the CPU time of a key goes</h2><p>Left out: {}. It takes <code>perf</code>, and
the right to use it.</p></section>"#,
        escape(&left.reason)
    )
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

fn legend() -> String {
    bars::legend(&CATEGORIES.map(|(name, _)| (name, ink(name)))).into_string()
}

fn bars(profile: &Profile) -> String {
    let total = |role: &RoleProfile| role.us_per_key.values().sum::<f64>();
    let most = profile.roles.iter().map(total).fold(1.0, f64::max);
    let title = format!("{}: CPU time of a key", keys_asked_for(&profile.condition));
    let height = 30 + 2 * ROW * profile.roles.len() as i32;
    bars::draw(&title, most, height, |rows| {
        let mut y = 40;
        for role in &profile.roles {
            rows.label(y, &words(&role.role), Ink::Text);
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
    .into_string()
}

fn time(us: f64) -> String {
    if us < 1_000.0 {
        format!("{} µs", number(us))
    } else {
        format!("{} ms", number(us / 1e3))
    }
}

fn words(role: &str) -> String {
    match role {
        "hubs" => "all hubs".to_owned(),
        other => other.to_owned(),
    }
}

/// What each category holds, and how much of all roles together it is.
fn meanings() -> String {
    let rows: String = CATEGORIES
        .iter()
        .filter(|(name, _)| *name != OTHER)
        .map(|(name, meaning)| format!("<tr><td class=\"name\">{name}</td><td>{meaning}</td></tr>"))
        .collect();
    format!(r#"<div class="scroll"><table><tbody>{rows}</tbody></table></div>"#)
}

fn functions(data: &Throughput) -> String {
    let of = |profile: &Profile| -> String {
        let tables: String = profile.roles.iter().map(table).collect();
        format!(
            "<details><summary>The functions that take most: {}</summary>{tables}</details>",
            keys_asked_for(&profile.condition)
        )
    };
    data.profiles.iter().map(of).collect()
}

fn table(role: &RoleProfile) -> String {
    if role.functions.is_empty() {
        return String::new();
    }
    let rows: String = role
        .functions
        .iter()
        .map(|function| {
            format!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n",
                escape(&shorten(&function.name, NAME_MAX)),
                number(function.us_per_key),
                escape(&function.category),
            )
        })
        .collect();
    format!(
        r#"<h3>{}</h3><div class="scroll"><table>
<thead><tr><th>function, without those that it calls</th><th>µs a key</th><th>counts as</th></tr></thead><tbody>
{rows}</tbody></table></div>"#,
        words(&role.role)
    )
}

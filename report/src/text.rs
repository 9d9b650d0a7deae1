//! Numbers, durations and lists as people write them.

use maud::{Markup, html};

/// A whole number with commas between thousands.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count in few characters, rounded down, for the inside of charts.
pub fn short(n: u64) -> String {
    match n {
        0..10_000 => count(n),
        10_000..1_000_000 => format!("{}k", n / 1_000),
        _ => format!("{}M", n / 1_000_000),
    }
}

/// A count with its noun, for example `1 campaign` or `2 campaigns`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A share of a whole. It is never rounded up to 100 % or down to 0 %, because one failure among many is what matters.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".into();
    }
    if part >= whole {
        return "100 %".into();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    match (part, tenths) {
        (0, _) => "0 %".into(),
        (_, 0) => "< 0.1 %".into(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// Milliseconds in the unit that reads best, with about three digits.
pub fn millis(ms: f64) -> String {
    if !ms.is_finite() {
        "–".into()
    } else if ms < 10.0 {
        format!("{} ms", trim(ms, 1))
    } else if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else if ms < 100_000.0 {
        format!("{} s", trim(ms / 1_000.0, 2))
    } else {
        seconds(ms / 1_000.0)
    }
}

/// Seconds in the unit that reads best.
pub fn seconds(s: f64) -> String {
    if !s.is_finite() {
        "–".into()
    } else if s < 100.0 {
        format!("{} s", trim(s, 1))
    } else if s < 6_000.0 {
        format!("{} min", trim(s / 60.0, 1))
    } else {
        format!("{} h", trim(s / 3_600.0, 1))
    }
}

/// The first `max` characters, with an ellipsis where something was cut.
pub fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.into();
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Names in bold, as a sentence lists them.
pub fn list(names: &[&str]) -> Markup {
    let last = names.len().saturating_sub(1);
    html! {
        @for (i, name) in names.iter().enumerate() {
            @if i > 0 { (if i == last { " and " } else { ", " }) }
            b { (name) }
        }
    }
}

/// A number with at most `decimals` digits behind the point, and no zeros at the end.
pub fn trim(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').into()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_a_sentence_does() {
        let list = |names: &[&str]| list(names).into_string();
        assert_eq!(list(&[]), "");
        assert_eq!(list(&["<a>"]), "<b>&lt;a&gt;</b>");
        assert_eq!(list(&["a", "b", "c"]), "<b>a</b>, <b>b</b> and <b>c</b>");
    }

    #[test]
    fn percent_never_hides_the_one_failure() {
        assert_eq!(percent(99_999, 100_000), "99.9 %");
        assert_eq!(percent(1, 100_000), "< 0.1 %");
        assert_eq!(percent(100, 100), "100 %");
        assert_eq!(percent(0, 7), "0 %");
        assert_eq!(percent(0, 0), "–");
        assert_eq!(percent(u64::MAX - 1, u64::MAX), "99.9 %");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [9_999, 10_000, 2_500_000].map(short),
            ["9,999", "10k", "2M"]
        );
        assert_eq!(counted(1, "campaign"), "1 campaign");
        assert_eq!(counted(0, "campaign"), "0 campaigns");
    }

    #[test]
    fn durations_take_the_unit_that_reads_best() {
        assert_eq!(
            [0.0, 2.25, 850.4, 1_500.0, 200_000.0].map(millis),
            ["0 ms", "2.2 ms", "850 ms", "1.5 s", "3.3 min"]
        );
        assert_eq!(
            [59.96, 100.0, 7_200.0].map(seconds),
            ["60 s", "1.7 min", "2 h"]
        );
        assert_eq!(millis(f64::NAN), "–");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(shorten("hüb-ñame", 8), "hüb-ñame");
        assert_eq!(shorten("hüb-ñames", 8), "hüb-ñam…");
    }
}

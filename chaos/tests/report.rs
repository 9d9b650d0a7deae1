//! The report of campaigns, from the outside. The pages of the samples are left in the target directory's `tmp`, to look
//! at: `report-held/index.html` and `report-broken/index.html`.

#![allow(clippy::unwrap_used)]

mod sample;

use std::{fs, path::Path};

use dske_chaos::{outcome::effects::Effect, summary::Resilience, tell::report};

/// The page in a directory that was empty.
fn html(summary: &Resilience) -> String {
    report::page(summary, &report::Before::default())
}

#[test]
fn the_page_says_that_all_held_and_shows_every_campaign() {
    let summary = sample::held();
    let html = html(&summary);
    assert!(html.contains("All 9 invariants held."));
    assert!(html.contains("Seen, as it should be: <b>control-colluding-threshold</b>"));
    for campaign in &summary.campaigns {
        assert!(
            html.contains(&campaign.name)
                && html.contains(&campaign.about)
                && html.contains(&campaign.digest)
        );
    }
    assert!(!html.contains("What broke") && !html.contains("is weak and"));
    assert!(
        html.contains("36,000") && html.contains("5,814"),
        "keys and lies over all campaigns"
    );
    assert!(html.contains("How many hubs can fail") && html.contains("What is not covered"));
    assert!(
        html.contains("Does a longer run pay?")
            && html.contains("crash-and-restart: 38 situations")
    );
}

#[test]
fn what_broke_comes_first_with_all_that_is_needed_to_replay_it() {
    let html = html(&sample::broken());
    assert!(html.contains("2 invariants broke: <b>availability</b> and <b>one-time</b>. 1 negative control went unseen."));
    assert!(html.contains("1 campaign is weak") && html.contains("negative control not seen"));
    assert!(html.find("What broke") < html.find("keys requested"));
    assert!(html.contains("seed 42, at 21 s simulated"));
    assert!(html.contains("<code>cargo chaos --campaign crash-and-restart --seed 42</code>"));
}

#[test]
fn what_was_shrunk_is_named_with_its_file_its_size_and_its_command() {
    let html = html(&sample::broken());
    let file = "reports/failures/&lt;b&gt;crash&lt;/b&gt;-42.toml";
    for expected in [
        &format!("<code>{file}</code>"),
        "1 of 31 faults, 0 of 2 liars, 3 of 208 calls are left after 77 runs",
        &format!("<code>cargo chaos replay '{file}'</code>"),
        "<a href=\"failures/%3Cb%3Ecrash%20%2342.html\">",
    ] {
        assert!(html.contains(expected), "{expected}");
    }
}

#[test]
fn nothing_in_the_data_becomes_markup_and_nothing_is_loaded() {
    let html = html(&sample::broken());
    assert!(
        html.contains("&lt;script&gt;alert('hank')") && html.contains("replay &amp; &lt;b&gt;swap")
    );
    for forbidden in [
        "<script", "http://", "https://", "<link", "<img", "@import", "url(", "<iframe",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn every_link_inside_the_page_has_its_target_and_tags_are_closed() {
    let html = html(&sample::broken());
    for link in html
        .split("href=\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        assert_eq!(html.matches(&format!("id=\"{link}\"")).count(), 1, "{link}");
    }
    for tag in [
        "section", "div", "table", "tr", "td", "p", "figure", "svg", "details", "article", "code",
        "dl", "text",
    ] {
        let opened =
            html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn the_same_summary_gives_the_same_bytes() {
    assert_eq!(html(&sample::broken()), html(&sample::broken()));
    assert_ne!(html(&sample::broken()), html(&sample::held()));
}

#[test]
fn a_report_of_nothing_is_no_success() {
    let empty = html(&Resilience::default());
    assert!(empty.contains("Nothing was tested.") && !empty.contains("invariants held"));
    let mut idle = sample::held();
    for campaign in &mut idle.campaigns {
        (campaign.keys_requested, campaign.keys_fetched) = (0, 0);
        campaign.establish_ms = Default::default();
    }
    assert!(html(&idle).contains("no successful call"));
}

#[test]
fn both_files_are_written_whole_and_replace_older_ones() {
    for (name, summary) in [
        ("report-held", sample::held()),
        ("report-broken", sample::broken()),
    ] {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        report::write(&dir, &Resilience::default()).unwrap();
        let before = report::Before::read(&dir.join("resilience.json"));
        let written = report::write(&dir, &summary).unwrap();
        assert_eq!(written.html, dir.join("index.html"));
        assert_eq!(
            fs::read_to_string(&written.html).unwrap(),
            report::page(&summary, &before)
        );
        let json: serde_json::Value =
            serde_json::from_slice(&fs::read(&written.json).unwrap()).unwrap();
        assert_eq!(json["campaigns"][1]["name"], "byzantine-minority");
        assert_eq!(
            json["campaigns"][0]["timeline"]["marks"][0]["kind"],
            "delivered"
        );
        let mut left: Vec<_> = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["index.html", "resilience.json"]);
    }
}

#[test]
fn the_self_test_is_linked_where_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let page = || fs::read_to_string(report::write(dir.path(), &sample::held()).unwrap().html);
    assert!(
        page()
            .unwrap()
            .contains("<code>cargo chaos selftest</code>")
    );
    report::write_selftest(dir.path(), &[]).unwrap();
    assert!(page().unwrap().contains(r#"<a href="selftest.html">"#));
}

#[test]
fn the_second_report_is_compared_with_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let page = || fs::read_to_string(report::write(dir.path(), &sample::held()).unwrap().html);
    assert!(page().unwrap().contains("This is the first report here"));
    let second = page().unwrap();
    // The sample is of a fixed version, which may be another one than that of the command.
    assert!(
        second.contains("Both reports reached exactly the same things")
            || second.contains("it was made by dske 0.1.0"),
        "{second}"
    );
}

#[test]
fn a_fault_that_touched_nothing_makes_its_campaign_weak() {
    let mut summary = sample::held();
    let effect = |in_vain| Effect {
        injected: 3,
        in_vain,
        lost: 3 - in_vain,
        ..Effect::default()
    };
    let effects = &mut summary.campaigns[0].effects;
    effects.insert("hold".into(), effect(2));
    assert!(summary.campaigns[0].weaknesses().is_empty());
    assert!(html(&summary).contains("1 message lost"));
    summary.campaigns[0]
        .effects
        .insert("hold".into(), effect(3));
    assert_eq!(
        summary.campaigns[0].weaknesses(),
        ["touched nothing: fault:hold"]
    );
    let page = html(&summary);
    assert!(page.contains("! nothing at all") && page.contains("touched nothing: fault:hold"));
}

#[test]
fn a_path_that_cannot_be_written_is_named_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("taken");
    fs::write(&file, "a file, not a directory").unwrap();
    let below = file.join("reports");
    let error = report::write(&below, &sample::held())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&*below.to_string_lossy()) && error.contains("choose a directory"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1);

    fs::create_dir(dir.path().join("index.html")).unwrap();
    let error = report::write(dir.path(), &sample::held())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("index.html") && error.contains("cannot write"),
        "{error}"
    );
    assert!(
        fs::read_dir(dir.path()).unwrap().all(|e| !e
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".tmp"))
    );
}

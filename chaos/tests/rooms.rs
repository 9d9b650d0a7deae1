//! No files of this workspace use each other in a circle, and each room of this crate uses only those before it.
//!
//! Sources are read as tokens, not as the compiler reads them: `use` trees and other paths, as far as they begin with
//! `crate`, `self` or `super`. What a parent takes from its children by their bare names is its own affair. What a macro
//! makes is not seen. Tests are left out.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crates of the workspace, by the directory that holds their `src`.
const CRATES: [&str; 6] = [".", "report", "uniform", "testbed", "cli", "chaos"];

/// The rooms of this crate in their order: each uses only those before it.
const ROOMS: [&str; 12] = [
    "plan",
    "campaign",
    "world",
    "judge",
    "outcome",
    "summary",
    "coverage",
    "summarize",
    "lines",
    "explore",
    "tell",
    "cli",
];

/// A module by its path from the root of its crate.
type Module = Vec<String>;

/// Module → the modules whose items it uses.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for directory in CRATES {
        let src = workspace().join(directory).join("src");
        for module in circle(&uses(&sources(&src))) {
            circles.push(format!("{directory}: {}", module.join("::")));
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn each_room_uses_only_those_before_it() {
    let uses = uses(&sources(&workspace().join("chaos/src")));
    let wrong = against_the_order(&uses, &ROOMS);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn circles_are_seen_whatever_names_the_other_file() {
    let a = ("a", "use super::b::B; pub struct A;");
    for b in [
        "use crate::a::A; pub struct B(A);",
        "use crate::{c::C, a::{A as X}}; pub struct B(X);",
        "pub struct B(crate::a::A);",
        "use crate::A; pub struct B(A);",
    ] {
        let sources = made_up(&[("", "pub use a::A;"), a, ("b", b)]);
        assert_eq!(circle(&uses(&sources)), [["a"], ["b"]], "{b}");
    }
}

#[test]
fn what_is_no_circle_is_not_taken_for_one() {
    let a = ("a", "use super::b::B; pub struct A;");
    for b in [
        "pub struct B; // use crate::a::A;",
        "pub struct B; const TEXT: &str = \"crate::a::A\";",
        "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
        // A parent with its children: what it only declares, it does not use.
        "mod a; pub struct B;",
    ] {
        let sources = made_up(&[a, ("b", b)]);
        assert_eq!(circle(&uses(&sources)), Vec::<Module>::new(), "{b}");
    }
}

#[test]
fn a_room_that_uses_a_later_one_and_a_room_that_is_not_listed_are_seen() {
    let sources = made_up(&[
        ("first", "pub struct F;"),
        ("second::part", "use crate::first::F; pub struct S;"),
        ("third", "pub struct T;"),
    ]);
    let uses = uses(&sources);
    let right = against_the_order(&uses, &["first", "second", "third"]);
    assert!(right.is_empty(), "{right:?}");
    let wrong = against_the_order(&uses, &["second", "first"]);
    assert_eq!(
        wrong,
        [
            "second::part uses first, which comes later",
            "third is no room"
        ]
    );
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn made_up(files: &[(&str, &str)]) -> BTreeMap<Module, String> {
    let module = |path: &str| -> Module {
        let parts = path.split("::").filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    let files = files.iter();
    files
        .map(|(path, text)| (module(path), (*text).to_owned()))
        .collect()
}

/// The text of every module below a directory.
fn sources(src: &Path) -> BTreeMap<Module, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![(src.to_owned(), Module::new())];
    while let Some((directory, parent)) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let child = [&parent[..], std::slice::from_ref(&name)].concat();
            if path.is_dir() {
                directories.push((path, child));
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !(parent.is_empty() && name == "main")
            {
                let is_parent = name == "mod" || (parent.is_empty() && name == "lib");
                let module = if is_parent { parent.clone() } else { child };
                found.insert(module, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(found.len() > 5, "{}", src.display());
    found
}

/// What a source says of its module, as far as it matters here.
struct File {
    /// Paths that it uses.
    paths: Vec<Module>,
    /// Items that it defines.
    items: BTreeSet<String>,
    /// Items that it passes on, by name.
    passed_on: BTreeMap<String, Module>,
    /// Modules that it declares for tests.
    for_tests: Vec<String>,
}

fn uses(sources: &BTreeMap<Module, String>) -> Uses {
    let mut files: BTreeMap<Module, File> = BTreeMap::new();
    for (module, text) in sources {
        files.insert(module.clone(), read(module, &tokens(text)));
    }
    let for_tests: BTreeSet<Module> = files
        .iter()
        .flat_map(|(module, file)| {
            let children = file.for_tests.iter();
            children.map(|child| [&module[..], std::slice::from_ref(child)].concat())
        })
        .collect();
    files.retain(|module, _| !for_tests.contains(module));
    let owners = |(module, file): (&Module, &File)| {
        let owners = file.paths.iter().filter_map(|path| owner(&files, path, 5));
        let others = owners.filter(|owner| owner != module);
        (module.clone(), others.collect())
    };
    files.iter().map(owners).collect()
}

/// The module that defines the item that a path names.
fn owner(files: &BTreeMap<Module, File>, path: &[String], hops: u32) -> Option<Module> {
    let module = (0..path.len())
        .rev()
        .map(|length| &path[..length])
        .find(|module| files.contains_key(*module))?;
    let (file, name) = (&files[module], &path[module.len()]);
    match file.passed_on.get(name) {
        Some(target) if hops > 0 => owner(files, target, hops - 1),
        _ => file.items.contains(name).then(|| module.to_vec()),
    }
}

/// Modules that use each other in a circle, with those between two circles. Empty is good.
fn circle(uses: &Uses) -> Vec<Module> {
    let mut left = uses.clone();
    loop {
        let before = left.len();
        // Whoever uses none of those left, or is used by none of them, is in no circle.
        let modules: BTreeSet<Module> = left.keys().cloned().collect();
        for used in left.values_mut() {
            used.retain(|module| modules.contains(module));
        }
        left.retain(|_, used| !used.is_empty());
        let used: BTreeSet<Module> = left.values().flatten().cloned().collect();
        left.retain(|module, _| used.contains(module));
        if left.len() == before {
            return left.into_keys().collect();
        }
    }
}

fn against_the_order(uses: &Uses, rooms: &[&str]) -> Vec<String> {
    let place = |module: &Module| {
        let room = module.first()?;
        rooms.iter().position(|known| known == room)
    };
    let mut wrong = Vec::new();
    for (module, used) in uses.iter().filter(|(module, _)| !module.is_empty()) {
        let name = module.join("::");
        let Some(own) = place(module) else {
            wrong.push(format!("{name} is no room"));
            continue;
        };
        for other in used.iter().filter(|other| place(other) > Some(own)) {
            let other = other.join("::");
            wrong.push(format!("{name} uses {other}, which comes later"));
        }
    }
    wrong
}

/// Words, `::`, and every other sign by itself; without comments and literals.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(length) = literal(rest) {
            length
        } else {
            let length = match first {
                _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                _ if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            if !first.is_whitespace() {
                tokens.push(&rest[..length]);
            }
            length
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of the literal of text or of a character that stands here.
fn literal(text: &str) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r') {
        let fence = raw.len() - raw.trim_start_matches('#').len();
        if raw[fence..].starts_with('"') {
            let end = format!("\"{}", &raw[..fence]);
            let body = &raw[fence + 1..];
            return Some(fence + 2 + body.find(&end).unwrap_or(body.len()) + end.len());
        }
    }
    let mut chars = text.char_indices();
    match chars.next()?.1 {
        '"' => {
            while let Some((at, c)) = chars.next() {
                match c {
                    '\\' => drop(chars.next()),
                    '"' => return Some(at + 1),
                    _ => {}
                }
            }
            Some(text.len())
        }
        '\'' if text.starts_with("'\\") => Some(3 + text[3..].find('\'')? + 1),
        // Otherwise it is a lifetime.
        '\'' => {
            let length = 1 + chars.next()?.1.len_utf8();
            text[length..].starts_with('\'').then_some(length + 1)
        }
        _ => None,
    }
}

fn read(module: &Module, tokens: &[&str]) -> File {
    let mut file = File {
        paths: Vec::new(),
        items: BTreeSet::new(),
        passed_on: BTreeMap::new(),
        for_tests: Vec::new(),
    };
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            "#" if tokens[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) => {
                at = skip_tests(tokens, at + 7, &mut file);
                continue;
            }
            "use" => {
                let is_passed_on = at > 0 && ["pub", ")"].contains(&tokens[at - 1]);
                let mut leaves = Vec::new();
                at = tree(tokens, at + 1, &[], &mut leaves);
                for leaf in &leaves {
                    let Some(path) = absolute(module, leaf) else {
                        continue;
                    };
                    if let (true, Some(name)) = (is_passed_on, leaf.last()) {
                        file.passed_on.insert(name.clone(), path.clone());
                    }
                    // A parent may name its own children.
                    if ["crate", "self", "super"].contains(&leaf[0].as_str()) {
                        file.paths.push(path);
                    }
                }
                continue;
            }
            "crate" | "super" if tokens.get(at + 1) == Some(&"::") => {
                let mut path = vec![tokens[at].to_owned()];
                while tokens.get(at + 1) == Some(&"::") && tokens.get(at + 2).is_some() {
                    path.push(tokens[at + 2].to_owned());
                    at += 2;
                }
                file.paths.extend(absolute(module, &path));
            }
            "struct" | "enum" | "trait" | "type" | "fn" | "const" | "static" | "macro_rules" => {
                let named = tokens[at + 1..].iter().find(|token| **token != "!");
                file.items.extend(named.map(|name| (*name).to_owned()));
            }
            _ => {}
        }
        at += 1;
    }
    file
}

/// Behind a module for tests. Another item for tests is read like all others.
fn skip_tests(tokens: &[&str], at: usize, file: &mut File) -> usize {
    let Some(place) = tokens[at..].iter().take(5).position(|t| *t == "mod") else {
        return at;
    };
    let at = at + place + 1;
    if tokens.get(at + 1) == Some(&";") {
        file.for_tests.push(tokens[at].to_owned());
        return at + 2;
    }
    let mut depth = 0;
    let end = tokens[at..].iter().position(|token| {
        depth += i32::from(*token == "{") - i32::from(*token == "}");
        *token == "}" && depth == 0
    });
    end.map_or(tokens.len(), |end| at + end + 1)
}

/// The leaves of the `use` tree at a place; gives the place behind it.
fn tree(tokens: &[&str], mut at: usize, before: &[String], leaves: &mut Vec<Module>) -> usize {
    let mut path = before.to_vec();
    while at < tokens.len() {
        match tokens[at] {
            "{" => loop {
                at = tree(tokens, at + 1, &path, leaves);
                if tokens.get(at) != Some(&",") {
                    return at + 1;
                }
            },
            // Another name is for this file only.
            "as" => at += 1,
            "::" => {}
            "," | "}" | ";" => break,
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
    if path.len() > before.len() {
        leaves.push(path);
    }
    at
}

/// A path from the root of the crate. `None` if it leads out of it.
fn absolute(module: &Module, path: &[String]) -> Option<Module> {
    let mut words = path.iter().peekable();
    let mut whole = match words.peek()?.as_str() {
        "crate" => Module::new(),
        _ => module.clone(),
    };
    while let Some(word) = words.next_if(|word| ["crate", "self", "super"].contains(&word.as_str()))
    {
        if word == "super" {
            whole.pop()?;
        }
    }
    whole.extend(words.cloned());
    Some(whole)
}

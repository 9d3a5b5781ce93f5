//! The pages for people: every link of theirs leads somewhere, and the site has all of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;
use tests::{read, root};

/// The pages, as paths from the root.
fn pages() -> BTreeSet<PathBuf> {
    let mut pages = BTreeSet::new();
    for folder in ["", "docs", "docs/decisions"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
            let path = Path::new(folder).join(entry.file_name());
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.insert(path);
            }
        }
    }
    pages
}

/// A page without what stands in it as code.
fn prose(page: &Path) -> String {
    let text = read(page.to_str().unwrap()).unwrap();
    let fenced = Regex::new(r"(?ms)^ *```.*?^ *```").unwrap();
    let spans = Regex::new(r"`[^`\n]*`").unwrap();
    spans.replace_all(&fenced.replace_all(&text, ""), "").into_owned()
}

/// The names by which a page's headings are linked.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = read(page.to_str().unwrap()).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_a_heading() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut lost = Vec::new();
    for page in pages() {
        for found in link.captures_iter(&prose(&page)) {
            let target = &found[1];
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let to = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let is_there = root().join(&to).exists();
            if !is_there || !heading.is_empty() && !anchors(&to).contains(heading) {
                lost.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(lost.is_empty(), "links that lead nowhere:\n{}", lost.join("\n"));
}

#[test]
fn the_site_has_every_page_of_the_documentation_once() {
    let link = Regex::new(r"\]\(([^)]+\.md)\)").unwrap();
    let summary = read("docs/SUMMARY.md").unwrap();
    let listed: Vec<PathBuf> =
        link.captures_iter(&summary).map(|found| Path::new("docs").join(&found[1])).collect();
    let all: BTreeSet<PathBuf> = listed.iter().cloned().collect();
    assert_eq!(all.len(), listed.len(), "a page is listed twice");
    let mut expected = pages();
    expected.retain(|page| page.starts_with("docs") && !page.ends_with("SUMMARY.md"));
    assert_eq!(all, expected);
}

//! `HAZARDS.md` names a test for each hazard; a test that was renamed must not leave it lying.
#![cfg(not(loom))]

use std::fs;
use std::path::Path;

#[test]
fn that_the_list_names() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let quoted = |line: &str| line.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let rows = include_str!("../HAZARDS.md").lines().filter(|line| line.starts_with("| "));
    let rows: Vec<Vec<String>> = rows.skip(1).map(quoted).collect();
    assert!(rows.len() > 30, "only {} rows were understood", rows.len());
    for row in rows {
        let [file, test] = &row[..] else { panic!("a file and a test, not {row:?}") };
        let place = ["", "/main"].map(|end| tests.join(format!("{file}{end}.rs")));
        let text = place.iter().find_map(|path| fs::read_to_string(path).ok());
        let text = text.unwrap_or_else(|| panic!("no file {file}"));
        let before = text.split_once(&format!("fn {test}()")).map(|(before, _)| before);
        let attributes = before.and_then(|before| before.rsplit("\n}\n").next());
        assert!(attributes.is_some_and(|a| a.contains("#[test]")), "no test {test} in {file}");
    }
}

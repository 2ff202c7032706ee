//! Patterns match as Tcl's do, and as the plainest of all matchers says.
#![cfg(not(loom))]

use larder_vars::glob;
use proptest::prelude::*;

#[test]
fn of_those_that_tcl_documents() {
    for (pattern, name) in [
        ("", ""),
        ("*", ""),
        ("*", "a.b/c"),
        ("a*c", "abbc"),
        ("*.jpg", "a.jpg.jpg"),
        ("?", "ä"),
        ("[a-c]x", "bx"),
        ("[c-a]x", "bx"),
        ("[a-]", "-"),
        ("[ab-d_]*", "_"),
        (r"\*", "*"),
        (r"a\[b", "a[b"),
        ("\\", "\\"),
        ("[*]", "*"),
    ] {
        assert!(glob(pattern, name), "{pattern} is to match {name}");
    }
    for (pattern, name) in [
        ("", "a"),
        ("?", ""),
        ("a", "A"),
        ("a*c", "abbcd"),
        ("[a-c]", "d"),
        ("[]", "a"),
        ("[a", "a"),
        (r"\*", "a"),
        ("*a*b", "b a"),
    ] {
        assert!(!glob(pattern, name), "{pattern} is not to match {name}");
    }
}

#[test]
fn or_after_ages() {
    let pattern = "*a".repeat(500) + "b";
    assert!(!glob(&pattern, &"a".repeat(5_000)));
}

/// Tries everything.
fn plainly(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => (0..=name.len()).any(|taken| plainly(rest, &name[taken..])),
        (['?', rest @ ..], [_, left @ ..]) => plainly(rest, left),
        ([wanted, rest @ ..], [given, left @ ..]) => wanted == given && plainly(rest, left),
        _ => false,
    }
}

proptest! {
    #[test]
    fn beside_the_plainest(pattern in "[ab?*]{0,8}", name in "[abä]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(glob(&pattern, &name), plainly(&chars(&pattern), &chars(&name)));
    }

    #[test]
    fn or_panics(pattern in any::<String>(), name in any::<String>()) {
        glob(&pattern, &name);
    }
}

//! Patterns of names, as Tcl's `string match` has them.

/// Tells whether a pattern describes the whole of a name.
///
/// | in the pattern | stands for |
/// |---|---|
/// | `*` | any characters, or none |
/// | `?` | one character |
/// | `[a-z_]` | one of these; a range goes either way |
/// | `\x` | `x` itself |
/// | anything else | itself |
///
/// Upper and lower case differ. A `[` without its `]` matches nothing. The time that it takes is
/// bounded by the product of the two lengths, whatever the pattern.
///
/// # Examples
///
/// ```
/// use larder_vars::glob;
///
/// assert!(glob("photo:*", "photo:17"));
/// assert!(glob("img_[0-9]?.jpg", "img_07.jpg"));
/// assert!(!glob("photo", "photos"));
/// ```
pub fn glob(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // Where to go on after a mismatch: behind the last star, which then takes one more character.
    // An earlier star never has to take more: whatever it could take, the last one can.
    let mut again: Option<(&str, &str)> = None;
    loop {
        if let Some(behind) = pattern.strip_prefix('*') {
            again = Some((behind, name));
            pattern = behind;
        } else if pattern.is_empty() && name.is_empty() {
            return true;
        } else if let Some((pattern_left, name_left)) = one(pattern, name) {
            (pattern, name) = (pattern_left, name_left);
        } else {
            let Some((behind, from)) = again else { return false };
            let Some(taken) = from.chars().next() else { return false };
            name = &from[taken.len_utf8()..];
            pattern = behind;
            again = Some((behind, name));
        }
    }
}

/// Matches one character; what is left of the pattern and of the name.
fn one<'a>(pattern: &'a str, name: &'a str) -> Option<(&'a str, &'a str)> {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let given = name.next()?;
    let matches = match pattern.next()? {
        '?' => true,
        '[' => {
            let (class, behind) = split_class(pattern.as_str())?;
            pattern = behind.chars();
            is_in(class, given)
        }
        // A last backslash stands for itself.
        '\\' => pattern.next().unwrap_or('\\') == given,
        wanted => wanted == given,
    };
    matches.then_some((pattern.as_str(), name.as_str()))
}

/// Splits `a-z]rest` at the bracket.
fn split_class(text: &str) -> Option<(&str, &str)> {
    text.split_once(']')
}

fn is_in(class: &str, given: char) -> bool {
    let mut class = class.chars();
    while let Some(first) = class.next() {
        let mut range = class.clone();
        let last = match (range.next(), range.next()) {
            (Some('-'), Some(last)) => {
                class = range;
                last
            }
            _ => first,
        };
        if (first.min(last)..=first.max(last)).contains(&given) {
            return true;
        }
    }
    false
}

//! What a text of SQL can do, by its first word.

/// What running a statement can do to what is known of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It writes to no table.
    Reads,
    /// It may write to tables, and changes nothing about what other texts do.
    Writes,
    /// It changes the schema.
    Alters,
    /// It may change what other texts do, by a setting or by another database's schema.
    Else,
    /// It may do anything: no statement of SQLite's begins so.
    Unclear,
}

/// Read at each `BEGIN`, and so known not to change any setting.
pub(super) const DATA_VERSION: &str = "PRAGMA data_version";

/// Tells them apart.
pub(super) fn kind(sql: &str) -> Kind {
    let sql = after_comments(sql);
    let end = sql.bytes().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(sql.len());
    let word = &sql[..end];
    let is = |words: &[&str]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
    if is(&["INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"]) {
        Kind::Writes
    } else if is(&["SELECT", "BEGIN", "COMMIT", "END", "SAVEPOINT", "RELEASE", "ROLLBACK"])
        || is(&["VALUES", "EXPLAIN"])
        || sql == DATA_VERSION
    {
        Kind::Reads
    } else if is(&["CREATE"]) && is_temporary(&sql[end..]) {
        Kind::Else
    } else if is(&["CREATE", "DROP", "ALTER"]) {
        Kind::Alters
    } else if is(&["PRAGMA", "ATTACH", "DETACH", "ANALYZE", "REINDEX", "VACUUM"]) {
        Kind::Else
    } else {
        Kind::Unclear
    }
}

/// Whether what is created is this connection's own: others' answers do not depend on it, but what
/// its own texts do (a temporary trigger).
fn is_temporary(after_create: &str) -> bool {
    let word = after_comments(after_create).split(|c: char| !c.is_ascii_alphabetic()).next();
    word.is_some_and(|word| {
        word.eq_ignore_ascii_case("TEMP") || word.eq_ignore_ascii_case("TEMPORARY")
    })
}

/// Skips what SQLite skips before the first word.
fn after_comments(mut sql: &str) -> &str {
    loop {
        let blank = |c: char| c.is_ascii_whitespace() || c == '\x0b' || c == ';' || c == '\u{feff}';
        sql = sql.trim_start_matches(blank);
        let comment = match sql.strip_prefix("--") {
            Some(line) => line.split_once('\n'),
            None => match sql.strip_prefix("/*") {
                Some(block) => block.split_once("*/"),
                None => return sql,
            },
        };
        sql = comment.map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_its_first_word() {
        assert_eq!(kind(" select 1"), Kind::Reads);
        assert_eq!(kind("Begin Immediate"), Kind::Reads);
        assert_eq!(kind("insert into t values (1)"), Kind::Writes);
        assert_eq!(kind("WITH x AS (SELECT 1) DELETE FROM t"), Kind::Writes);
        assert_eq!(kind("create table t (x)"), Kind::Alters);
        assert_eq!(kind("CREATE /* my */ temp TABLE t (x)"), Kind::Else);
        assert_eq!(kind("CREATE TABLE temp (x)"), Kind::Alters);
        assert_eq!(kind("PRAGMA data_version"), Kind::Reads);
        assert_eq!(kind("PRAGMA recursive_triggers=ON"), Kind::Else);
    }

    #[test]
    fn comments_hide_no_first_word() {
        assert_eq!(kind("-- a comment\n-- and one more\nSELECT 1"), Kind::Reads);
        assert_eq!(kind("/*/ tricky */;; DROP TABLE t"), Kind::Alters);
        assert_eq!(kind("\u{feff}/* a */ -- b\n/**/PRAGMA x=1"), Kind::Else);
    }

    #[test]
    fn what_is_not_known_may_do_anything() {
        for sql in ["/* open", "-- no more", "(", "", "é"] {
            assert_eq!(kind(sql), Kind::Unclear, "{sql}");
        }
    }
}

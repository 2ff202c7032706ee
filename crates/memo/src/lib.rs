//! Process-wide memoised look-ups and static tables whose hits write nothing shared

//! The two memos of a small server: a static table and answers that change.
//!
//! Run it with `cargo run -p larder-examples --example memo`.

use larder_memo::{LoadError, Memo, StaticMemo, Tables};
use std::thread;
use std::time::Duration;

/// Country names never change while the server runs: a static, and references for ever.
static COUNTRIES: StaticMemo<String, String> = StaticMemo::new();

/// Stands for a query that takes a while.
fn query(what: &str) -> String {
    println!("  querying {what}");
    thread::sleep(Duration::from_millis(20));
    format!("the row of {what}")
}

fn main() {
    println!("eight threads ask for one country:");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let name: &'static str = COUNTRIES.get_or_load("no", || query("country no"));
                assert_eq!(name, "the row of country no");
            });
        }
    });

    println!("titles come from table `photos`, and follow it:");
    let tables = Tables::new();
    let titles: Memo<u64, String> = Memo::builder(10_000)
        .ttl(Duration::from_secs(60))
        .wait(Duration::from_secs(2))
        .depends_on(&tables, ["photos"])
        .build();
    titles.get_or_load(&7, || query("photo 7"));
    titles.get_or_load(&7, || query("photo 7, which must not happen"));
    tables.bump("photos");
    let title = titles.get_or_load(&7, || query("photo 7 again, since the table changed"));
    println!("  {title}");

    println!("an error reaches its caller and is forgotten:");
    let failed = titles.get_or_try_load(&8, || "eight".parse::<u64>().map(|n| n.to_string()));
    match failed {
        Err(LoadError::Loader(error)) => println!("  {error}"),
        other => unreachable!("a word is no number: {other:?}"),
    }
    assert_eq!(titles.get(&8), None);
}

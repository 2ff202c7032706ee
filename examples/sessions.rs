//! Sessions in files: a visitor, a login, requests at once, and an account that many share.
//!
//! Run it with `cargo run -p larder-examples --example sessions`.

use std::error::Error;
use std::time::Duration;

use larder_sessions::{Choice, FileStore, Login, Networks, PerUser, Saved, Sessions};

/// What a browser sends back of a `Set-Cookie`.
fn kept(set_cookie: Option<String>) -> String {
    let line = set_cookie.unwrap_or_default();
    line.split(';').next().unwrap_or_default().to_string()
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let sessions = Sessions::builder(FileStore::open(dir.path())?)
        .idle(Duration::from_secs(30 * 60))
        .per_user(PerUser::evict_idle(4))
        .networks(Networks::flag(2, Duration::from_secs(3600)))
        .build();
    let _sweeper = sessions.sweep_every(Duration::from_secs(1), 1000)?;

    println!("a visitor who only looks costs nothing:");
    let mut session = sessions.open(None)?;
    println!("  {:?}, cookie: {:?}", session.save()?, session.set_cookie());

    println!("one who fills a basket has a session:");
    session.set("basket", &["apples"])?;
    println!("  {:?}", session.save()?);
    let anonymous = kept(session.set_cookie());

    println!("a login keeps the basket, under a new id:");
    let Login::Admitted { .. } = session.login("ann", Some("192.0.2.7".parse()?))? else {
        return Err("ann has too many sessions".into());
    };
    let cookie = kept(session.set_cookie());
    println!("  {:?} has {:?}", session.user(), session.get::<Vec<String>>("basket")?);
    println!("  the old id has nobody: {:?}", sessions.open([&*anonymous])?.user());

    println!("two requests at once, and both keep what they did:");
    let (mut one, mut two) = (sessions.open([&*cookie])?, sessions.open([&*cookie])?);
    for (request, fruit) in [(&mut one, "pears"), (&mut two, "plums")] {
        let mut basket: Vec<String> = request.get("basket")?.unwrap_or_default();
        basket.push(fruit.into());
        request.set("basket", &basket)?;
    }
    println!("  {:?}", one.save()?);
    let both = two.save_with(|clash| {
        let mut basket: Vec<String> = clash.theirs()?.unwrap_or_default();
        let mine: Vec<String> = clash.mine()?.unwrap_or_default();
        basket.extend(mine.into_iter().filter(|fruit| fruit == "plums"));
        Choice::value(&basket)
    })?;
    let basket: Option<Vec<String>> = sessions.peek([&*cookie], "basket")?;
    println!("  {both:?}: {basket:?}");

    println!("the same account from everywhere:");
    for address in ["192.0.2.8", "198.51.100.1", "203.0.113.9"] {
        let mut session = sessions.open(None)?;
        match session.login("ann", Some(address.parse()?))? {
            Login::Admitted { ended, networks } => {
                println!("  {address}: {ended} ended, seen before from too many: {networks:?}");
            }
            refused => println!("  {address}: {refused:?}"),
        }
    }
    for listed in sessions.list_user("ann")? {
        println!("  ann sees {} from {:?}", listed.handle, listed.network);
    }

    println!("ann ends them all, and what was under way is refused:");
    let mut late = sessions.open([&*cookie])?;
    late.set("basket", &["late"])?;
    println!("  {} ended", sessions.revoke_user("ann")?);
    assert_eq!(late.save()?, Saved::Gone);
    println!("  {:?}", late.save()?);
    Ok(())
}

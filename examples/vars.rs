//! What the threads of a small server share: counts, switches, and who does the job.
//!
//! Run it with `cargo run -p larder-examples --example vars`.

use larder_vars::{Array, Error, Vars};
use std::thread;

/// How often each page was asked for. Clients choose the paths, so there is a limit.
static HITS: Array<String, u64> = Array::new().max_entries(3);

/// Whatever else there is, by the name of its array.
static VARS: Vars<String, String> = Vars::new().max_arrays(10);

fn rows<const N: usize>(rows: [(&str, &str); N]) -> [(String, String); N] {
    rows.map(|(key, value)| (key.to_owned(), value.to_owned()))
}

fn main() -> Result<(), Error> {
    println!("four threads count:");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for path in ["/", "/albums", "/", "/photo/7"] {
                    HITS.incr(path, 1).expect("three paths are within the limit");
                }
            });
        }
    });
    let [root, photo] = HITS.get_many(["/", "/photo/7"]);
    println!("  / {root:?}, /photo/7 {photo:?}");
    println!("  and a client makes up a fourth path: {}", HITS.incr("/x", 1).unwrap_err());

    println!("one of them makes the thumbnails:");
    let workers = ["worker 1", "worker 2", "worker 3"];
    let winners = thread::scope(|scope| {
        let ask = |name: &'static str| VARS.array("jobs").get_or_set("thumbs", name.to_owned());
        let asking = workers.map(|name| scope.spawn(move || ask(name)));
        asking.map(|thread| thread.join().expect("nobody panics"))
    });
    for winner in winners {
        println!("  it is {}", winner?);
    }

    println!("all mirrors change at one moment:");
    let mirrors = VARS.array("mirrors");
    mirrors.replace(rows([("no", "oslo.old"), ("se", "lund.old")]))?;
    thread::scope(|scope| {
        let look = || loop {
            let [no, se] = mirrors.get_many(["no", "se"]).map(Option::unwrap_or_default);
            assert_eq!(no.ends_with(".new"), se.ends_with(".new"), "half of the change");
            if se.ends_with(".new") {
                return println!("  {no} and {se}");
            }
        };
        scope.spawn(look);
        mirrors.replace(rows([("no", "oslo.new"), ("se", "lund.new")]))
    })?;

    println!("arrays: {:?}", VARS.names("*"));
    VARS.unset("jobs")?;
    println!("and without jobs: {:?}", VARS.names("*"));
    Ok(())
}

//! What does it cost to know who sends a request: from the `Cookie` header to a typed value?
//!
//! From a copy in memory, from a file, from a row of SQLite; beside an `open` and a `read` of the
//! very same file, and beside tower-sessions, whose middleware does the same with its stores.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use larder_benches::threads;
use larder_pool::sqlite::{SqliteManager, SqlitePool};
use larder_sessions::{FileStore, MemoryStore, Saved, Sessions, SqliteStore, Store};
use serde::{Deserialize, Serialize};
use tower_sessions::{MemoryStore as TowerMemory, SessionStore, session::Id};
use tower_sessions_file_store::FileSessionStorage;

const COUNT: usize = 1000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Visit {
    user: u64,
    name: String,
    roles: Vec<String>,
}

fn visit(nth: usize) -> Visit {
    let roles = vec!["reader".to_string(), "writer".to_string()];
    Visit { user: nth as u64, name: format!("user number {nth}"), roles }
}

/// Times a check of one of the sessions after the other, on each of one and two threads.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    system: &str,
    check: &(dyn Fn(usize) -> Visit + Sync),
) {
    for count in [1, 2] {
        group.bench_function(BenchmarkId::new(system, count), |bencher| {
            bencher.iter_custom(|iterations| {
                threads::run(count, iterations, &|thread, iterations| {
                    for nth in 0..iterations as usize {
                        black_box(check((nth + thread * COUNT / 2) % COUNT));
                    }
                })
            });
        });
    }
}

fn ours<S: Store>(group: &mut BenchmarkGroup<'_, WallTime>, system: &str, store: S) {
    let sessions = Sessions::builder(store).build();
    let headers: Vec<String> = (0..COUNT).map(|nth| start(&sessions, nth)).collect();
    measure(group, system, &|nth| {
        sessions.peek([&*headers[nth]], "visit").expect("it is read").expect("it is there")
    });
}

/// Stores a session; returns the header of the next request.
fn start<S: Store>(sessions: &Sessions<S>, nth: usize) -> String {
    let mut session = sessions.open(None).expect("empty");
    session.set("visit", &visit(nth)).expect("it is short");
    assert_eq!(session.save().expect("stored"), Saved::Stored);
    let set_cookie = session.set_cookie().expect("a new id");
    let cookie = set_cookie.split(';').next().expect("name and value").to_string();
    format!("theme=dark; {cookie}; lang=en")
}

/// The files under a directory.
fn files(dir: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("listed").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(files(path)),
            false => found.push(path),
        }
    }
    found
}

/// The least that a session in a file can cost.
fn open_read(group: &mut BenchmarkGroup<'_, WallTime>) {
    let dir = tempfile::tempdir().expect("a directory");
    let sessions = Sessions::builder(FileStore::open(dir.path()).expect("opened")).build();
    (0..COUNT).for_each(|nth| drop(start(&sessions, nth)));
    let is_session = |path: &PathBuf| path.file_name().is_some_and(|name| name.len() == 32);
    let files: Vec<_> = files(dir.path().join("sessions")).into_iter().filter(is_session).collect();
    assert_eq!(files.len(), COUNT);
    measure(group, "open_read", &|nth| {
        let mut bytes = [0; 4096];
        let mut file = File::open(&files[nth]).expect("opened");
        black_box(file.read(&mut bytes).expect("read"));
        Visit { user: 0, name: String::new(), roles: Vec::new() }
    });
}

/// What the middleware of tower-sessions does with a request, on a runtime that runs all of an
/// iteration: find the cookie, read the id, and let the handler get a value.
fn tower<T: SessionStore + Clone>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    system: &str,
    store: T,
) {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let store = Arc::new(store);
    let headers: Vec<String> = runtime().block_on(async {
        let mut headers = Vec::new();
        for nth in 0..COUNT {
            let session = tower_sessions::Session::new(None, Arc::clone(&store), None);
            session.insert("visit", visit(nth)).await.expect("inserted");
            session.save().await.expect("saved");
            let id = session.id().expect("saved sessions have one");
            headers.push(format!("theme=dark; id={id}; lang=en"));
        }
        headers
    });
    let check = async |header: &str| -> Visit {
        let id = header.split("; ").find_map(|pair| pair.strip_prefix("id=")).expect("sent");
        let id = Id::from_str(id).expect("an id");
        let session = tower_sessions::Session::new(Some(id), Arc::clone(&store), None);
        session.get("visit").await.expect("it is read").expect("it is there")
    };
    for count in [1, 2] {
        group.bench_function(BenchmarkId::new(system, count), |bencher| {
            bencher.iter_custom(|iterations| {
                let began = Instant::now();
                std::thread::scope(|scope| {
                    for thread in 0..count {
                        let (headers, check, runtime) = (&headers, &check, &runtime);
                        scope.spawn(move || {
                            runtime().block_on(async {
                                for nth in 0..iterations as usize {
                                    let nth = (nth + thread * COUNT / 2) % COUNT;
                                    black_box(check(&headers[nth]).await);
                                }
                            });
                        });
                    }
                });
                began.elapsed()
            });
        });
    }
}

fn sessions_check(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sessions_check");
    group.warm_up_time(Duration::from_millis(300));
    let dirs: Vec<_> = (0..6).map(|_| tempfile::tempdir().expect("a directory")).collect();
    let at = |nth: usize| FileStore::at(dirs[nth].path());
    ours(&mut group, "larder_memory", MemoryStore::default());
    ours(&mut group, "larder_file_copy", at(0).open().expect("opened"));
    ours(&mut group, "larder_file_copy_alone", at(1).alone().open().expect("opened"));
    ours(&mut group, "larder_file_disk", at(2).copies(0).open().expect("opened"));
    // With a few copies, which are others' by the time that it is looked at again.
    ours(&mut group, "larder_file_cold", at(5).copies(8).open().expect("opened"));
    open_read(&mut group);
    let database = SqliteManager::file(dirs[3].path().join("sessions.db"));
    let pool = SqlitePool::open(database, 2).expect("opened");
    ours(&mut group, "larder_sqlite", SqliteStore::open(pool).expect("opened"));
    tower(&mut group, "tower_memory", TowerMemory::default());
    let folder = dirs[4].path().to_path_buf();
    tower(&mut group, "tower_file", FileSessionStorage::new_in_folder(folder));
    group.finish();
}

criterion_group!(benches, sessions_check);
criterion_main!(benches);

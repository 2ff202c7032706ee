//! Starts the real program on a free port, asks it over real sockets, and ends it.
#![allow(dead_code)] // Each test file uses its own part of this.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

pub mod pictures;

/// The program under test.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_thumbnail-server"))
}

/// A running server; dropping it kills it.
pub struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub base: String,
}

impl Server {
    pub fn start(photos: &Path, data: &Path) -> Self {
        Self::start_with(photos, data, &[])
    }

    pub fn start_with(photos: &Path, data: &Path, more: &[&str]) -> Self {
        let mut command = program();
        command.arg("--photos").arg(photos).arg("--data").arg(data);
        command.args(["--listen", "127.0.0.1:0"]).args(more);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("stdout is text");
        let base = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| {
            panic!("the first line is {line:?}");
        });
        assert!(!base.ends_with(":0"), "the real port is printed: {base}");
        Self { child, base: base.to_owned(), stdout }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let url = format!("{}{path}", self.base);
        let mut request = http::Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = agent
            .run(request.body(()).expect("request is well-formed"))
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let mut body = Vec::new();
        response.body_mut().as_reader().read_to_end(&mut body).expect("body arrives whole");
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    /// Ids of the photographs on the first page of the gallery.
    pub fn ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self
            .get("/")
            .text()
            .split("href=\"/photo/")
            .skip(1)
            .filter_map(|rest| rest.split(['"', '?']).next()?.parse().ok())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    pub fn rss_bytes(&self) -> u64 {
        status_kb(self.child.id(), "VmRSS:") * 1024
    }

    pub fn peak_rss_bytes(&self) -> u64 {
        status_kb(self.child.id(), "VmHWM:") * 1024
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("child can be waited for").is_none()
    }

    /// Asks it to end, and says whether it did so properly. What else it printed is returned.
    pub fn stop(mut self, signal: &str) -> (bool, String) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        let status = wait(&mut self.child, Duration::from_secs(30));
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("stdout is text");
        (status.success(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status_kb(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("linux");
    let line = status.lines().find(|line| line.starts_with(field)).expect("field is there");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number of kB")
}

/// Waits for a child's end, and fails the test rather than hang.
pub fn wait(child: &mut Child, limit: Duration) -> std::process::ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("child can be waited for") {
            return status;
        }
        if begun.elapsed() > limit {
            let _ = child.kill();
            panic!("the program did not end within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs the program to its end, and looks at its memory all the while: whether it succeeded, and
/// the most that it was seen to hold, in bytes.
pub fn run_watched(arguments: &[&str]) -> (bool, u64) {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("program starts");
    let (begun, mut peak) = (Instant::now(), 0);
    loop {
        // One that has ended holds nothing any more, and says so by leaving the line out.
        let path = format!("/proc/{}/status", child.id());
        let status = std::fs::read_to_string(path).expect("linux, and not waited for yet");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        peak = peak.max(kb.unwrap_or(0) * 1024);
        if let Some(status) = child.try_wait().expect("child can be waited for") {
            return (status.success(), peak);
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "the program did not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs the program to its end; it must end by itself.
pub fn run(arguments: &[&str]) -> (bool, String, String) {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("program starts");
    let status = wait(&mut child, Duration::from_secs(120));
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    (status.success(), out, err)
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("header is text"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("body is text")
    }
}

/// The folder that a variable names, where it is set.
pub fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

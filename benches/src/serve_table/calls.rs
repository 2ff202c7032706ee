//! System calls a request, counted by the kernel's own tracepoints, which slow nothing down.

use std::io;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::load::{self, Load};
use crate::process::Server;

/// System calls a request: all of them, and those that wait for events.
pub struct Calls {
    pub all: f64,
    pub waits: f64,
}

const EVENTS: [&str; 3] =
    ["raw_syscalls:sys_enter", "syscalls:sys_enter_epoll_wait", "syscalls:sys_enter_epoll_pwait"];

/// Counts while a load runs.
///
/// # Errors
///
/// `NotFound` if `perf` is not installed, `Unsupported` if it may not count.
pub fn count(server: &Server, load: &Load<'_>) -> io::Result<Calls> {
    let pids: Vec<String> = server.pids().iter().map(u32::to_string).collect();
    let perf = Command::new("perf")
        .args(["stat", "-x", ",", "-e", &EVENTS.join(","), "-p", &pids.join(",")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    // It counts from when it has attached to when it is told to stop: the load's warm-up and its
    // connections are within, and so counted, as too much rather than too little.
    thread::sleep(Duration::from_millis(300));
    let before = asked(server, load);
    if let Some(pid) = rustix::process::Pid::from_raw(perf.id() as i32) {
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
    }
    let told = perf.wait_with_output()?.stderr;
    let requests = before? as f64;
    let told = String::from_utf8_lossy(&told);
    let of = |event: &str| {
        let line = told.lines().find(|line| line.contains(event))?;
        line.split(',').next()?.parse::<f64>().ok()
    };
    let all = of(EVENTS[0]).ok_or(io::ErrorKind::Unsupported)?;
    let waits = of(EVENTS[1]).unwrap_or(0.0) + of(EVENTS[2]).unwrap_or(0.0);
    Ok(Calls { all: all / requests, waits: waits / requests })
}

/// Requests of a whole load, warm-up included.
fn asked(server: &Server, load: &Load<'_>) -> io::Result<u64> {
    load::run(server.addr, load, &|| server.cpu()).map(|ran| ran.all)
}

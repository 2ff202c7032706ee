//! The servers of a table: each a process of its own, confined to one core, measured from outside.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A running server; ended when dropped.
pub struct Server {
    pub name: String,
    pub addr: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts one of our own, in a process of this same program.
    pub fn own(name: &str, root: &Path) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg(name).arg(root);
        // It ends when this pipe closes, so that it never outlives us.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(&mut command)?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        BufReader::new(stdout).read_line(&mut line)?;
        let addr = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { name: name.to_owned(), addr, child })
    }

    /// Starts nginx with one worker for the files in `root`; `mode` is its way to send them.
    ///
    /// # Errors
    ///
    /// `NotFound` if it is not installed.
    pub fn nginx(name: &str, root: &Path, mode: &str) -> io::Result<Self> {
        // Free a moment ago; nobody else takes ports here by number.
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let dir = root.parent().unwrap_or(root).join(name.replace(' ', "-"));
        fs::create_dir_all(&dir)?;
        let conf = dir.join("nginx.conf");
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        let (root, dir) = (root.display(), dir.display());
        let text = format!(
            "{user} worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log;
             worker_rlimit_nofile 20000;
             events {{ worker_connections 20000; }}
             http {{
               access_log off; {mode} tcp_nodelay on; keepalive_requests 1000000000;
               keepalive_timeout 600s; send_timeout 600s;
               open_file_cache max=10000; open_file_cache_valid 600s;
               client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;
               uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
               server {{ listen {addr} backlog=1024; root {root}; }}
             }}"
        );
        fs::write(&conf, text)?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&conf);
        Self::program(name, addr, command)
    }

    /// Starts a program that stays in the foreground, and waits until it listens.
    pub fn program(name: &str, addr: SocketAddr, mut command: Command) -> io::Result<Self> {
        let child = spawn(command.stdin(Stdio::null()).stderr(Stdio::null()))?;
        let mut server = Self { name: name.to_owned(), addr, child };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(self.addr).is_err() {
            if self.child.try_wait()?.is_some() || begun.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::other(format!("{} does not start", self.name)));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub fn pids(&self) -> Vec<u32> {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        std::iter::once(pid).chain(children).collect()
    }

    /// User and system time of its processes so far.
    pub fn cpu(&self) -> Duration {
        let ticks = |pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields = stat.rsplit(')').next().unwrap_or_default();
            // The 14th and 15th field; the third is the first after the name.
            let times = fields.split_whitespace().skip(11).take(2);
            times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>()
        };
        let sum: u64 = self.pids().into_iter().map(ticks).sum();
        Duration::from_secs_f64(sum as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Bytes that its processes have in memory.
    pub fn rss(&self) -> u64 {
        let kib = |pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        };
        self.pids().into_iter().filter_map(kib).sum::<u64>() * 1024
    }

    /// Asks for one thing on a connection of its own, and returns the whole answer.
    pub fn ask(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut socket = TcpStream::connect(self.addr)?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        socket.write_all(&crate::load::request(path))?;
        crate::crowd::read_answer(&mut socket)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// Starts a process on the core of the servers: it inherits it from us, from its first moment.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let ours = sched_getaffinity(None)?;
    confine(0)?;
    let child = command.spawn();
    sched_setaffinity(None, &ours)?;
    child
}

/// Confines this thread, and what it starts, to one of the cores that it may use.
pub fn confine(nth: usize) -> io::Result<()> {
    let mut all = CpuSet::new();
    let cores = thread::available_parallelism()?.get();
    // Cores are numbered from zero on any machine that has not been cut to pieces.
    all.set(nth.min(cores - 1));
    Ok(sched_setaffinity(None, &all)?)
}

/// Descriptors that a process may have open.
pub fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Allows as many descriptors as the machine lets us, for us and for what we start.
pub fn raise_descriptors() -> io::Result<()> {
    let resource = rustix::process::Resource::Nofile;
    let mut limit = rustix::process::getrlimit(resource);
    limit.current = limit.maximum;
    Ok(rustix::process::setrlimit(resource, limit)?)
}

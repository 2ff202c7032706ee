//! A PostgreSQL of our own: a new cluster in a directory that goes with it, on a Unix socket only.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use r2d2_postgres::PostgresConnectionManager;
use r2d2_postgres::postgres::{Client, Config, NoTls};
use tempfile::TempDir;

use super::Outcome;

/// The manager that r2d2's users have.
pub type Manager = PostgresConnectionManager<NoTls>;

/// A running server; stopped when dropped.
pub struct Postgres {
    process: Child,
    socket: PathBuf,
    _dir: TempDir,
}

impl Postgres {
    /// Makes a cluster and starts its server; none if PostgreSQL is not installed.
    ///
    /// # Errors
    ///
    /// It is installed, but can't be started.
    pub fn start() -> Outcome<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        let dir = tempfile::tempdir()?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let user = user();
        let (data, socket) = (dir.path().join("data"), dir.path().join("socket"));
        for path in [&data, &socket] {
            fs::create_dir(path)?;
            if let Some((uid, gid)) = user {
                chown(path, Some(uid), Some(gid))?;
            }
        }
        let mut initdb = as_user(&programs.join("initdb"), user, &socket);
        initdb.args(["-A", "trust", "-U", "larder", "-E", "UTF8", "--no-sync", "-D"]).arg(&data);
        let made = initdb.stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
        }
        let mut server = as_user(&programs.join("postgres"), user, &socket);
        // As a server is set up that others use, but for what a cluster of a minute has no need of.
        server.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "autovacuum=off"]);
        server.arg("-c").arg(format!("unix_socket_directories={}", socket.display()));
        server.arg("-D").arg(&data).stdin(Stdio::null()).stdout(Stdio::null());
        let process = server.stderr(Stdio::null()).spawn()?;
        let postgres = Postgres { process, socket, _dir: dir };
        postgres.wait_until_it_listens()?;
        Ok(Some(postgres))
    }

    fn wait_until_it_listens(&self) -> Outcome<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.connect() {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn connect(&self) -> Outcome<Client> {
        Ok(self.config().connect(NoTls)?)
    }

    /// Returns a manager for pools.
    pub fn manager(&self) -> Manager {
        Manager::new(self.config(), NoTls)
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config.host_path(&self.socket).user("larder").dbname("postgres");
        config.connect_timeout(Duration::from_secs(5));
        config
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // INT asks for a stop that waits for nobody; `timeout` hands it on.
        super::child::signal(&self.process, rustix::process::Signal::INT);
        let _ = self.process.wait();
    }
}

/// The directory of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|entry| Some(entry.ok()?.path())).max_by_key(version)?;
    let bin = newest.join("bin");
    (bin.join("postgres").exists() && bin.join("initdb").exists()).then_some(bin)
}

/// Who runs it: PostgreSQL refuses to be run by root.
fn user() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    user_named(&users, "postgres").or_else(|| user_named(&users, "nobody"))
}

fn user_named(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// A program as that user, bounded in time, should we be killed before we can stop it.
fn as_user(program: &Path, user: Option<(u32, u32)>, dir: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--signal=INT", "300"]).arg(program).current_dir(dir).env("LC_ALL", "C");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let users = "postgresql:x:7:8::/:/bin/sh\npostgres:x:101:104:,,,:/var:/bin/bash\nroot\n";
        assert_eq!(user_named(users, "postgres"), Some((101, 104)));
        assert_eq!(user_named(users, "nobody"), None);
        assert_eq!(user_named(users, "root"), None);
    }
}

//! Apache, by its event MPM: what hands a connection that only waits back to one thread.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::process::Server;

/// Where distributions keep its modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// Starts it for the files in `root`: one process of 400 threads, sendfile, nothing
/// logged. With fewer threads than busy connections it closes some that are kept alive. None,
/// and a word about it, if it is not installed.
pub fn start(root: &Path) -> io::Result<Option<Server>> {
    let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let home = root.parent().unwrap_or(root);
    // Its worker is never root, and must get in.
    fs::set_permissions(home, Permissions::from_mode(0o755))?;
    let dir = home.join("apache");
    fs::create_dir_all(&dir)?;
    let user = match rustix::process::getuid().is_root() {
        true => "User www-data\nGroup www-data",
        false => "",
    };
    let (shown, dir_shown) = (root.display(), dir.display());
    let conf = format!(
        "ServerRoot {dir_shown}\nDefaultRuntimeDir {dir_shown}\nPidFile {dir_shown}/pid
         LoadModule mpm_event_module {MODULES}/mod_mpm_event.so
         LoadModule authz_core_module {MODULES}/mod_authz_core.so
         {user}\nServerName localhost\nListen {addr}\nListenBacklog 1024
         ErrorLog {dir_shown}/error.log\nLogLevel crit
         ThreadLimit 400\nStartServers 1\nServerLimit 1\nThreadsPerChild 400
         MaxRequestWorkers 400\nMinSpareThreads 400\nMaxSpareThreads 400
         AsyncRequestWorkerFactor 100
         KeepAlive On\nMaxKeepAliveRequests 0\nKeepAliveTimeout 600\nTimeout 600
         EnableSendfile On\nDocumentRoot {shown}
         <Directory {shown}>\nAllowOverride None\nRequire all granted\n</Directory>\n"
    );
    fs::write(dir.join("conf"), conf)?;
    let mut command = Command::new("apache2");
    command.arg("-f").arg(dir.join("conf")).args(["-D", "FOREGROUND"]);
    match Server::program("apache event", addr, command) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("apache2 is not installed: its rows are missing");
            Ok(None)
        }
        server => server.map(Some),
    }
}

//! Listening sockets: opened here, inherited, or made elsewhere.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use listenfd::ListenFd;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use crate::Error;

/// Connections that the kernel completes while the I/O thread is busy elsewhere.
const BACKLOG: i32 = 4096;

/// Stands for the address of a Unix socket, which has none.
pub(crate) const NO_ADDR: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A socket on which a server listens: TCP or Unix, opened here or elsewhere.
///
/// # Examples
///
/// ```no_run
/// use larder_serve::{Listener, Reply, Request, Server};
///
/// // What systemd has opened, or else what the machine beside us asks for; and a way in for
/// // the proxy on this machine.
/// let mut inherited = Listener::inherited()?.into_iter();
/// let first = match inherited.next() {
///     Some(listener) => listener,
///     None => Listener::bind("0.0.0.0:8080")?,
/// };
/// let server = Server::builder()
///     .listener(first)?
///     .and(Listener::unix("/run/app/http.sock")?)?
///     .start(|_: Request| Reply::text("hello\n"))?;
/// # drop(server);
/// # Ok::<(), larder_serve::Error>(())
/// ```
pub struct Listener {
    pub(crate) socket: Listening,
}

pub(crate) enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener, Option<Name>),
}

impl Listener {
    /// Listens on the first of the addresses that can be bound. Port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// If the address does not resolve, is in use, or needs rights; the message names it.
    pub fn bind(addr: impl ToSocketAddrs + fmt::Debug) -> Result<Self, Error> {
        let refused = |error| Error::new(format!("cannot listen on {addr:?}"), error);
        let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
        for addr in addr.to_socket_addrs().map_err(refused)? {
            match open(addr) {
                Ok(listener) => return Ok(listener.into()),
                Err(error) => last = error,
            }
        }
        Err(refused(last))
    }

    /// Listens on a Unix socket. A socket at `path` that nobody listens on any more is replaced;
    /// the name is removed when the server stops, unless it is another's by then.
    ///
    /// Who may connect is said by the rights of the directory and of the socket, which are those
    /// that the process's umask leaves: to connect takes the right to write to it. See
    /// [`unix_with_mode`](Listener::unix_with_mode).
    ///
    /// # Errors
    ///
    /// If another program listens there, something else than a socket has the name, or rights are
    /// missing; the message names the path.
    pub fn unix(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::at_path(path.as_ref(), None)
    }

    /// Listens on a Unix socket as [`unix`](Listener::unix) does, whose mode is `mode`, whatever the
    /// umask: `0o660` lets the owner and his group connect, `0o666` whoever may enter the directory.
    /// It has that mode before anybody can connect.
    ///
    /// # Errors
    ///
    /// As of [`unix`](Listener::unix).
    ///
    /// # Panics
    ///
    /// If `mode` is more than the nine bits of rights.
    pub fn unix_with_mode(path: impl AsRef<Path>, mode: u32) -> Result<Self, Error> {
        assert!(mode <= 0o777, "the mode of a socket is {mode:o}, but must be at most 777");
        Self::at_path(path.as_ref(), Some(mode))
    }

    fn at_path(path: &Path, mode: Option<u32>) -> Result<Self, Error> {
        let failed = |error| Error::new(format!("cannot listen on {}", path.display()), error);
        let socket = match bind_at(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
                fs::remove_file(path).and_then(|()| bind_at(path))
            }
            other => other,
        };
        let socket = socket.map_err(failed)?;
        let name = Name::of(path).map_err(failed)?;
        if let Some(mode) = mode {
            fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
        }
        // Only from here on does anybody get in.
        socket.listen(BACKLOG).map_err(failed)?;
        Ok(Self { socket: Listening::Unix(socket.into(), Some(name)) })
    }

    /// Takes the sockets that a supervisor such as systemd has opened for this process and named
    /// in `LISTEN_FDS` and `LISTEN_PID`, in its order; none if there are none. A second call in a
    /// process finds none.
    ///
    /// # Errors
    ///
    /// If one of them is neither a TCP nor a Unix socket that listens.
    pub fn inherited() -> Result<Vec<Self>, Error> {
        // Each descriptor has one owner: whoever asks first.
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if TAKEN.swap(true, Relaxed) {
            return Ok(Vec::new());
        }
        let mut fds = ListenFd::from_env();
        (0..fds.len()).map(|nth| take(&mut fds, nth)).collect()
    }

    /// Tells whether it really listens, and makes it fit for an I/O thread.
    pub(crate) fn prepare(self) -> Result<Self, Error> {
        let failed = |error| Error::new("cannot use the listening socket", error);
        let socket = match &self.socket {
            Listening::Tcp(listener) => SockRef::from(listener),
            Listening::Unix(listener, _) => SockRef::from(listener),
        };
        if !socket.is_listener().map_err(failed)? {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen")));
        }
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(self)
    }

    /// The address, with the real port; `None` for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            Listening::Tcp(listener) => listener.local_addr().ok(),
            Listening::Unix(..) => None,
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self { socket: Listening::Tcp(listener) }
    }
}

/// The name of the socket stays whose it is.
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self { socket: Listening::Unix(listener, None) }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Listening::Tcp(listener) => listener.fmt(f),
            Listening::Unix(listener, _) => listener.fmt(f),
        }
    }
}

fn open(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_at(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

fn take(fds: &mut ListenFd, nth: usize) -> Result<Listener, Error> {
    let failed = |error| Error::new(format!("cannot take the inherited socket {nth}"), error);
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    if let Ok(listener) = fds.take_unix_listener(nth) {
        return listener.map(Listener::from).ok_or_else(|| failed(gone()));
    }
    let listener = fds.take_tcp_listener(nth).map_err(failed)?;
    listener.map(Listener::from).ok_or_else(|| failed(gone()))
}

/// Tells whether a socket has this name on which nobody listens.
fn is_stale(path: &Path) -> bool {
    // Of a file, the kernel says the same.
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        return false;
    }
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    UnixStream::connect(path).err().is_some_and(refused)
}

/// The name of a socket that was made here, removed with it unless it is another's by then.
pub(crate) struct Name {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Name {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        // Where it is then, wherever the process has gone meanwhile.
        let path = std::path::absolute(path)?;
        Ok(Self { path, device: metadata.dev(), inode: metadata.ino() })
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let same = |m: fs::Metadata| (m.dev(), m.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(same) {
            // It may be gone; a name that stays is replaced by the next who listens there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

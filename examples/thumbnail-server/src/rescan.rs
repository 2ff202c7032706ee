//! Looks at the folder of photographs again and again while serving.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::app::App;

/// The thread that rescans; dropping it ends the thread and waits for it.
pub struct Rescan {
    /// Its end is the thread's sign to stop.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Imports the folder every `period`.
pub fn start(app: &Arc<App>, period: Duration) -> Rescan {
    let (stop, stopped) = channel::<()>();
    let app = Arc::clone(app);
    let thread = std::thread::Builder::new()
        .name("rescan".to_owned())
        .spawn(move || {
            while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                scan(&app);
            }
        })
        .expect("a thread can be started");
    Rescan { stop: Some(stop), thread: Some(thread) }
}

fn scan(app: &App) {
    match app.import() {
        Ok(found) if found.is_change() => found.report(),
        Ok(_) => {}
        Err(error) => eprintln!("thumbnail-server: rescan: {error:#}"),
    }
}

impl Drop for Rescan {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has printed itself; serving has ended anyway.
            let _ = thread.join();
        }
    }
}

//! Progress bars on standard error; where that is no terminal, they draw nothing.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{msg:<22} {wide_bar:.cyan/dim} {pos}/{len}  {elapsed} left {eta}";

/// A bar that is made when the first step is heard of, so that no work shows no bar.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar labelled with what is being done, such as `reading headers`.
    pub fn new(doing: &'static str) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is constant");
        let bar = ProgressBar::hidden().with_style(style.progress_chars("━╸─"));
        bar.set_message(doing);
        Self { bar }
    }

    /// Shows that `done` of `total` steps are done. Any thread may call it.
    pub fn show(&self, done: usize, total: usize) {
        if self.bar.length().is_none() {
            self.bar.set_length(total as u64);
            self.bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            self.bar.enable_steady_tick(Duration::from_millis(200));
        }
        // Threads report out of order: the bar never goes back.
        self.bar.set_position(self.bar.position().max(done as u64));
    }

    /// Writes a line to standard error without tearing the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

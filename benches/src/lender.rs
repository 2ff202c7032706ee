//! Both pools as their callers see them: something that lends.

use r2d2::ManageConnection;

/// What lends a connection.
pub trait Lender: Send + Sync {
    /// Holds a connection while `hold` runs; false if there was none to be had.
    fn lend(&self, hold: &dyn Fn()) -> bool;
}

impl<M: ManageConnection> Lender for larder_pool::Pool<M> {
    fn lend(&self, hold: &dyn Fn()) -> bool {
        self.get().map(|_conn| hold()).is_ok()
    }
}

impl<M: ManageConnection> Lender for r2d2::Pool<M> {
    fn lend(&self, hold: &dyn Fn()) -> bool {
        self.get().map(|_conn| hold()).is_ok()
    }
}

/// The pools that are compared: larder, r2d2 as it comes, and r2d2 without a test at each checkout.
pub const SYSTEMS: [&str; 3] = ["larder", "r2d2", "r2d2-unchecked"];

/// Builds one of the [`SYSTEMS`], with all its connections open and its defaults otherwise.
pub fn build<M: ManageConnection>(system: &str, connections: u32, manager: M) -> Box<dyn Lender> {
    if system == "larder" {
        let builder = larder_pool::Pool::builder()
            .max_size(connections)
            .min_idle(Some(connections))
            .error_handler(Box::new(r2d2::NopErrorHandler));
        return Box::new(builder.build(manager).expect("larder opens its connections"));
    }
    let builder = r2d2::Pool::builder()
        .max_size(connections)
        .test_on_check_out(system == "r2d2")
        .error_handler(Box::new(r2d2::NopErrorHandler));
    Box::new(builder.build(manager).expect("r2d2 opens its connections"))
}

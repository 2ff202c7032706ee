//! What a pool does to a connection that comes back, before anybody else may have it.

use std::panic::Location;

use r2d2::ManageConnection;

/// The verdict of a return gate; see [`Builder::return_gate`](crate::Builder::return_gate).
#[derive(Debug)]
pub enum Returned<E> {
    /// The connection is as it was lent.
    Clean,
    /// It had been left in a state that the gate has undone: keep it, and tell the error handler.
    Mended(E),
    /// It cannot be trusted: close it, and tell the error handler.
    Refused(E),
}

pub(crate) type ReturnGate<M> = Box<
    dyn Fn(
            &mut <M as ManageConnection>::Connection,
            &'static Location<'static>,
        ) -> Returned<<M as ManageConnection>::Error>
        + Send
        + Sync,
>;

//! The I/O thread's end of a stream: bytes that wait for the socket, and where the reader is.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::{Pump, Source, Then};
use crate::io::mailbox::ExchangeId;

/// What a piece counts for beside its bytes, so that a reader of single bytes is bounded too.
const PIECE_OVERHEAD: usize = 96;
/// Pieces offered to the socket at a time.
pub(crate) const SLICES: usize = 16;

pub(crate) struct Flow {
    pieces: VecDeque<Bytes>,
    /// Bytes of the pieces and their overhead.
    held: usize,
    reader: Reader,
    /// Of the request, for the queue.
    class: usize,
    /// Only the end of the connection says where the body ends, so that a cut must be a reset.
    ends_with_close: bool,
}

enum Reader {
    /// A worker has it, or will have; it looks whether this is still here before each read.
    Away {
        _waiting: Arc<()>,
    },
    Resting(Box<Source>),
    Ended,
    Failed,
}

impl Flow {
    /// Begins with one piece and the reader at work; the worker keeps the weak half of `waiting`.
    pub(crate) fn new(waiting: Arc<()>, class: usize, ends_with_close: bool) -> Self {
        let (pieces, reader) = (VecDeque::new(), Reader::Away { _waiting: waiting });
        Self { pieces, held: 0, reader, class, ends_with_close }
    }

    /// What a piece takes of the room.
    pub(crate) fn cost(piece: &Bytes) -> usize {
        if piece.is_empty() { 0 } else { piece.len() + PIECE_OVERHEAD }
    }

    pub(crate) fn push(&mut self, piece: Bytes, then: Then) {
        self.held += Self::cost(&piece);
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
        match then {
            Then::More => {}
            Then::Rest(source) => self.reader = Reader::Resting(source),
            Then::End => self.reader = Reader::Ended,
            Then::Failed => self.reader = Reader::Failed,
        }
    }

    /// Takes the reader to work if at most half of `bound` is held.
    pub(crate) fn refill(&mut self, id: ExchangeId, bound: usize) -> Option<Pump> {
        if !matches!(self.reader, Reader::Resting(_)) || self.held > bound / 2 {
            return None;
        }
        let waiting = Arc::new(());
        let weak = Arc::downgrade(&waiting);
        match std::mem::replace(&mut self.reader, Reader::Away { _waiting: waiting }) {
            Reader::Resting(source) => {
                Some(Pump::new(id, self.class, *source, bound - self.held, weak))
            }
            _ => None,
        }
    }

    /// Nobody waits any more: a worker that has the reader sees it before its next read.
    pub(crate) fn abandon(&mut self) {
        if let Reader::Away { .. } = self.reader {
            self.reader = Reader::Failed;
        }
    }

    /// Nothing to send now.
    pub(crate) fn is_dry(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.is_dry() && matches!(self.reader, Reader::Ended)
    }

    /// Everything that came before the failure has left.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_dry() && matches!(self.reader, Reader::Failed)
    }

    pub(crate) fn ends_with_close(&self) -> bool {
        self.ends_with_close
    }

    /// Appends what is to be sent next, up to about `budget` bytes.
    pub(crate) fn slices<'f>(&'f self, budget: u64, slices: &mut Vec<IoSlice<'f>>) {
        let mut total = 0;
        for piece in self.pieces.iter().take(SLICES) {
            if total >= budget {
                break;
            }
            total += piece.len() as u64;
            slices.push(IoSlice::new(piece));
        }
    }

    /// Moves past `n` bytes that the socket took.
    pub(crate) fn took(&mut self, mut n: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            let part = n.min(piece.len());
            piece.advance(part);
            self.held -= part;
            n -= part;
            if !piece.is_empty() {
                return;
            }
            self.held -= PIECE_OVERHEAD;
            self.pieces.pop_front();
        }
    }
}

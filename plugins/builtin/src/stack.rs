//! Stack for work whose depth the input decides: an overflow cannot be caught and ends the process.
//!
//! Checking goes through an object of the schema once at each level of the metadata, at most: where a reference leads
//! back to one on the way, the library ends there. So the product of both, with the bytes that one such step takes,
//! bounds the stack. Those bytes were found by a search through shapes of schemas (`tests/stack.rs`).

use std::{io, panic, thread};

/// Bytes of stack for each object of a schema at each level of the metadata: three times what the worst shape takes.
pub(crate) const CHECKING: usize = 1 << 10;

/// Bytes of stack for each object of a schema when it is compiled: four times what the worst shape takes.
pub(crate) const COMPILING: usize = 16 << 10;

/// What every thread has left: half of the least that one is given.
const IN_PLACE: usize = 1 << 20;

/// Runs something that takes up to so many bytes of stack, on a thread of its own if they are many.
///
/// # Errors
/// When the system has no memory for such a thread.
pub(crate) fn with_room<T: Send>(bytes: usize, run: impl FnOnce() -> T + Send) -> io::Result<T> {
    if bytes <= IN_PLACE {
        return Ok(run());
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(bytes).spawn_scoped(scope, run)?;
        Ok(thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked)))
    })
}

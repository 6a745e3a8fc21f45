//! What is remembered of the store, in memory and never wrong.

mod unread;

pub use unread::UnreadCache;

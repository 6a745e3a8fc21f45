//! The PostgreSQL engine: the contract, and what is PostgreSQL's alone.

mod doubt;
mod hints;
mod history;
mod nodes;
mod own;
mod settings;

use super::contract::{bed::*, contract};

contract!(super::Bed::postgres());

/// Behind a pooler that lends out connections by the transaction.
mod pooled {
    use super::super::contract::{bed::Bed, contract};

    contract!(super::Bed::pooled());
}

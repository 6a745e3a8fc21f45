//! The PostgreSQL engine: the contract, and what is PostgreSQL's alone.

use super::contract::{bed::*, contract};

contract!(super::Bed::postgres());

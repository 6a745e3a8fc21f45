//! What the integration tests share: a running gateway, and short ways to ask it things.

pub mod answer;
pub mod api;
pub mod daemon;
pub mod dice;
pub mod gateway;
pub mod haproxy;
pub mod issuer;
pub mod pooler;
pub mod postgres;
pub mod prometheus;
pub mod proxy;
pub mod raw;
pub mod replica;
pub mod settings;
pub mod stream;
pub mod token;
pub mod tool;

pub use answer::Answer;
pub use api::Api;
pub use dice::Dice;
pub use gateway::Gateway;
pub use token::Token;
pub use tool::Tool;

//! What several commands do first: read the configuration and the types, start the runtime.

use std::{path::Path, time::Duration};

use super::Failure;
use crate::{
    config::{self, Config, Inputs},
    registry::STACK,
};

/// Reads and checks the configuration; the failure lists every problem.
pub fn read(path: &Path) -> Result<(Inputs, Config), Failure> {
    let inputs = Inputs::read(path, &config::environment).map_err(|p| p.to_string())?;
    let config = config::parse(&inputs).map_err(|p| p.to_string())?;
    Ok((inputs, config))
}

/// Runs a future to its end on all cores.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()
        .map_err(|e| format!("the runtime could not start: {e}"))?;
    let output = runtime.block_on(future);
    // What still blocks by now, such as the building of types without end, is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(output)
}

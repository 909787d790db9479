//! The binary of all functions. Lambda says in `_HANDLER` which one this process is.

use hubbub_aws::runtime::{read_function, start_tracing};
use hubbub_functions::wiring::serve_function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    serve_function(read_function()?).await
}

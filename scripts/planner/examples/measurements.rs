//! Prints the plan beside the measurements of docs/performance.md, as that page has it.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/performance.md"))?;
    print!("{}", hubbub_planner::comparison::table(&hubbub_planner::comparison::measured(&page))?);
    Ok(())
}

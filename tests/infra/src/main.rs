//! Prints the resource types and the provider's functions that the program uses, in any variant, for `schema.mjs`.

use std::collections::BTreeSet;

use anyhow::{Error, Result};
use hubbub_infra_checks::program::Program;
use hubbub_infra_checks::variants;

fn main() -> Result<()> {
    let (mut resources, mut functions) = (BTreeSet::new(), BTreeSet::new());
    for variant in variants::all() {
        let program = Program::read(&variant.program()?).map_err(Error::msg)?;
        resources.extend(program.resources.into_values().map(|resource| resource.r#type));
        functions.extend(program.variables.into_values().map(|variable| variable.invoke.function));
    }
    println!("{}", serde_json::json!({"resources": resources, "functions": functions}));
    Ok(())
}

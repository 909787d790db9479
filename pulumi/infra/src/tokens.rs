//! The key by which tokens are signed.

use crate::model::{ConfigKey, Name, Program, Resource};
use crate::names;
use crate::settings::{Settings, TOKEN_KEY};

/// The parameter that holds the key.
pub const TOKEN_KEY_PARAMETER: Name = Name::of("tokenKeyParameter");

/// Declares the parameter, where tokens are signed with a secret. The key goes from the stack's encrypted configuration to SSM and is in no
/// output. `valueWo` is written whenever `valueWoVersion` changes, and never read.
pub fn declare(program: &mut Program, settings: &Settings) {
    if settings.has_public_keys() {
        return;
    }
    let key = ConfigKey { r#type: "string", secret: true };
    program.configuration.insert(TOKEN_KEY, key);
    let parameter = Resource::new("aws:ssm:Parameter")
        .with("name", names::path_of_stack("token-key"))
        .with("type", "SecureString")
        .with("valueWo", Name::of(TOKEN_KEY).itself())
        .with("valueWoVersion", settings.token_key_version);
    program.add(&TOKEN_KEY_PARAMETER, parameter);
}

//! What the handlers' tests share.

use hubbub_core::names::env;
use hubbub_core::settings::{self, Config};

/// The configuration of a stack whose operator has set nothing.
pub(crate) fn config<C: Config>() -> C {
    let value = |name: &str| {
        let setting = settings::ALL.into_iter().find(|setting| setting.variable == name);
        match name {
            env::TOKEN_ALGORITHM => "HS256".to_owned(),
            env::DEFAULT_CAPABILITIES => "{}".to_owned(),
            _ => setting.map_or("text".to_owned(), |setting| setting.default.to_string()),
        }
    };
    C::read(&|name| Some(value(name))).unwrap()
}

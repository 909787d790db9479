//! What the handlers' tests share.

use hubbub_core::names::env;
use hubbub_core::settings::{self, Config};

/// The configuration of a stack whose operator has set nothing.
pub(crate) fn config<C: Config>() -> C {
    let value = |name: &str| {
        let setting = settings::ALL.iter().map(|setting| setting.row()).find(|row| row.variable == name);
        match name {
            env::TOKEN_ALGORITHM => "HS256".to_owned(),
            env::DEFAULT_CAPABILITIES => "{}".to_owned(),
            _ => setting.map(|row| row.default).filter(|text| !text.is_empty()).unwrap_or("text".to_owned()),
        }
    };
    C::read(&|name| Some(value(name))).unwrap()
}

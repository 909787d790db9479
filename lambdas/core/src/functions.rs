//! The functions of a stack. This is the only list of them: what is not written in Rust reads `pulumi/stack.json`, which is made from it.

use std::fmt;

use crate::settings::{
    AnnounceConfig, AuthorizeConfig, Config, ConnectConfig, DeliverConfig, DeliverPageConfig, DisconnectConfig,
    PlanBroadcastConfig, ReceiveConfig,
};

/// A Lambda function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// Verifies the token of a socket that opens.
    Authorize,
    /// Records a socket that opens.
    Connect,
    /// Forgets a socket that has closed.
    Disconnect,
    /// Answers clients' frames.
    Receive,
    /// Appends messages of the publish queue to their channels' logs, and fans them out.
    Deliver,
    /// Tells the watchers of a room who is in it.
    Announce,
    /// Plans a broadcast's rounds.
    PlanBroadcast,
    /// Delivers a page of a round.
    DeliverPage,
}

impl Function {
    /// All functions.
    pub const ALL: [Self; 8] = [
        Self::Authorize,
        Self::Connect,
        Self::Disconnect,
        Self::Receive,
        Self::Deliver,
        Self::Announce,
        Self::PlanBroadcast,
        Self::DeliverPage,
    ];

    /// Its name: Lambda's handler, the end of its name in the account, and the dimension of its metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Receive => "receive",
            Self::Deliver => "deliver",
            Self::Announce => "announce",
            Self::PlanBroadcast => "plan-broadcast",
            Self::DeliverPage => "deliver-page",
        }
    }

    /// The function of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// The environment variables that its configuration is read from.
    #[must_use]
    pub const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Authorize => AuthorizeConfig::VARIABLES,
            Self::Connect => ConnectConfig::VARIABLES,
            Self::Disconnect => DisconnectConfig::VARIABLES,
            Self::Receive => ReceiveConfig::VARIABLES,
            Self::Deliver => DeliverConfig::VARIABLES,
            Self::Announce => AnnounceConfig::VARIABLES,
            Self::PlanBroadcast => PlanBroadcastConfig::VARIABLES,
            Self::DeliverPage => DeliverPageConfig::VARIABLES,
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_is_found_by_its_name_alone() {
        for function in Function::ALL {
            assert_eq!(Function::of_name(function.name()), Some(function));
        }
        assert_eq!(Function::of_name("deliver-pages"), None);
    }
}

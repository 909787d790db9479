//! Client actions: one file for each, with its fields, its grant, its cost and what it does. The list below is the only other place that names
//! them.

use crate::members::dismissal::dismiss;
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::wire::codes::{ClosingCode, ErrorCode};
use crate::wire::fields::{Field, Fields, Malformed};
use crate::wire::id::MessageId;
use crate::wire::server_frame::{Answer, MAX_REF_CHARS, Refused, ServerFrame};

mod action;
mod caller;
mod grant;
mod handler;
mod moderation;
mod publication;
mod refusal;
pub mod target;

use action::Action;
pub use caller::Caller;
pub use grant::Denied;
pub use handler::ClientHandler;
use refusal::Refusal;

macro_rules! actions {
    ($($module:ident::$action:ident,)*) => {
        $(pub mod $module;)*

        /// A client's action.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(tag = "action", rename_all = "snake_case"))]
        pub enum ClientAction {
            $($action($module::$action),)*
        }

        /// The names of all actions. Each is a route of its own, so that it can be throttled by itself.
        pub const NAMES: &[&str] = &[$(<$module::$action as Action>::NAME,)*];

        impl ClientAction {
            /// Reads the action of this name. `None` where there is no such action.
            fn read(name: &str, fields: &Fields) -> Option<Result<Self, Malformed>> {
                $(if name == <$module::$action as Action>::NAME {
                    let action = $module::$action::read(fields);
                    return Some(action.and_then(|action| action.validate().map(|()| Self::$action(action))));
                })*
                None
            }

            fn message_id(&self) -> Option<&MessageId> {
                match self {
                    $(Self::$action(action) => action.message_id(),)*
                }
            }

            /// Checks that the caller's token grants it. Membership comes on top, where an action asks for it.
            ///
            /// # Errors
            /// Says what is not granted.
            pub fn authorize(&self, caller: &Caller) -> Result<(), Denied> {
                match self {
                    $(Self::$action(action) => action.authorize(caller),)*
                }
            }

            fn turns(&self) -> u32 {
                match self {
                    $(Self::$action(_) => <$module::$action as Action>::TURNS,)*
                }
            }

            async fn run<S: ClientStore, Q: PublishQueue, P: Poster, E: Env>(
                self,
                handler: &ClientHandler<S, Q, P, E>,
                caller: &Caller,
            ) -> Result<ServerFrame<'static>, Refusal> {
                match self {
                    $(Self::$action(action) => action.run(handler, caller).await,)*
                }
            }
        }
    };
}

actions! {
    join::Join,
    leave::Leave,
    publish::Publish,
    direct::Direct,
    signal::Signal,
    history::History,
    who::Who,
    kick::Kick,
    ban::Ban,
    unban::Unban,
    delete::Delete,
    close::Close,
    open::Open,
    ping::Ping,
}

/// A client's frame. Fields that its action doesn't know are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientFrame {
    /// The action.
    #[cfg_attr(feature = "schema", schemars(flatten))]
    pub action: ClientAction,
    /// Any string: the answer repeats it.
    #[cfg_attr(feature = "schema", schemars(rename = "ref", length(max = MAX_REF_CHARS)))]
    pub reference: Option<String>,
}

impl ClientFrame {
    /// Reads a client's frame.
    ///
    /// # Errors
    /// Gives the error frame's content: which field is wrong, and what it must be.
    pub fn parse(text: &str, max_body_bytes: usize, max_frame_bytes: usize) -> Result<Self, Refused> {
        let refuse = |code, message, id, reference| Refused { code, message, id, retry_ms: None, reference };
        if text.len() > max_frame_bytes {
            // The transport should not have let it in; nothing of it is read.
            let message = format!("the frame has {} bytes, and may have {max_frame_bytes}", text.len());
            return Err(refuse(ErrorCode::FrameTooLarge, message, None, None));
        }
        let malformed =
            |malformed: &Malformed, id, reference| refuse(malformed.into(), malformed.to_string(), id, reference);
        let fields = Fields::parse(text, max_body_bytes).map_err(|error| malformed(&error, None, None))?;
        let reference = read_reference(&fields).map_err(|error| malformed(&error, None, None))?;
        let id = MessageId::read_optional(&fields, "id").unwrap_or(None);
        let name = fields.value::<String>("action", "a string").unwrap_or(None);
        match name.and_then(|name| ClientAction::read(&name, &fields)) {
            Some(Ok(action)) => Ok(Self { reference, action }),
            Some(Err(error)) => Err(malformed(&error, id, reference)),
            None => {
                let message = format!("field `action` must be one of {}", NAMES.join(", "));
                Err(refuse(ErrorCode::UnknownAction, message, id, reference))
            }
        }
    }
}

fn read_reference(fields: &Fields) -> Result<Option<String>, Malformed> {
    let expected = "a string of at most 64 characters";
    match fields.value::<String>("ref", expected)? {
        Some(text) if text.chars().count() > MAX_REF_CHARS => Err(Malformed::Wrong { field: "ref", expected }),
        reference => Ok(reference),
    }
}

impl<S: ClientStore, Q: PublishQueue, P: Poster, E: Env> ClientHandler<S, Q, P, E> {
    /// Carries out a frame and answers it. Every frame gets an answer, whatever is in it and whatever fails: an error frame is an answer.
    pub async fn answer(&self, caller: &Caller, text: &str) -> Answer {
        if self.env.now() >= caller.until {
            return self.close(caller).await;
        }
        let ClientFrame { reference, action } =
            match ClientFrame::parse(text, self.max_body_bytes, self.transport.max_frame_bytes) {
                Ok(frame) => frame,
                Err(refused) => return refused.into(),
            };
        let id = action.message_id().cloned();
        match self.carry_out(caller, action).await {
            Ok(frame) => Answer { frame, reference },
            Err(Refusal { code, message, retry_ms }) => Refused { code, message, id, retry_ms, reference }.into(),
        }
    }

    async fn carry_out(&self, caller: &Caller, action: ClientAction) -> Result<ServerFrame<'static>, Refusal> {
        action.authorize(caller)?;
        self.take_turns(caller, action.turns()).await?;
        action.run(self, caller).await
    }

    /// A socket lives no longer than its token. The answer repeats the last frame, in case that the socket could not be closed.
    async fn close(&self, caller: &Caller) -> Answer {
        let code = ClosingCode::TokenExpired;
        if let Err(error) = dismiss(&self.store, &self.poster, &self.env, &caller.connection, code).await {
            tracing::warn!(connection.id = %caller.connection, %error, "not forgotten");
        }
        Answer { frame: ServerFrame::closing(code), reference: None }
    }
}

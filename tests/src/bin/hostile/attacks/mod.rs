//! The attacks. Each kind of act has a file, and each file a task that goes on until the time is over, for one round at least.

mod broken;
mod expelled;
mod floods;
mod garbage;
mod giants;
mod handshakes;
mod orders;
mod others;
mod replays;
mod slow;
mod tokens;

pub(crate) use expelled::find_banned_members;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::field::Field;

/// An attack with all its rounds. It fails only if the stack can't be reached.
type Attack = BoxFuture<'static, anyhow::Result<()>>;

/// All of them, each on a field with dice of its own.
pub(crate) fn all(field: &mut Field) -> Vec<Attack> {
    let mut own = || Field { dice: field.dice.fork(), ..field.clone() };
    vec![
        handshakes::attack(own()).boxed(),
        tokens::attack(own()).boxed(),
        others::attack(own()).boxed(),
        orders::attack(own()).boxed(),
        expelled::attack(own()).boxed(),
        floods::attack(own()).boxed(),
        giants::attack(own()).boxed(),
        broken::attack(own()).boxed(),
        slow::attack(own()).boxed(),
        garbage::attack(own()).boxed(),
        replays::attack(own()).boxed(),
    ]
}

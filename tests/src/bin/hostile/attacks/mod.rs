//! The attacks. Each kind of act has a file, and each file a task that repeats its round until the time is over, but does at least one.

mod broken;
mod expelled;
mod floods;
mod garbage;
mod giants;
mod handshakes;
mod moderation;
mod others;
mod replays;
mod slow;
mod tokens;

pub(crate) use expelled::find_banned_members;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::attacker::Attacker;

/// An attack with all its rounds. It fails only if the stack can't be reached.
type Attack = BoxFuture<'static, anyhow::Result<()>>;

/// All of them, each on a field with rng of its own.
pub(crate) fn all(attacker: &mut Attacker) -> Vec<Attack> {
    let mut own = || Attacker { rng: attacker.rng.fork(), ..attacker.clone() };
    vec![
        handshakes::attack(own()).boxed(),
        tokens::attack(own()).boxed(),
        others::attack(own()).boxed(),
        moderation::attack(own()).boxed(),
        expelled::attack(own()).boxed(),
        floods::attack(own()).boxed(),
        giants::attack(own()).boxed(),
        broken::attack(own()).boxed(),
        slow::attack(own()).boxed(),
        garbage::attack(own()).boxed(),
        replays::attack(own()).boxed(),
    ]
}

//! `hubbub dead-letters`: what could not be delivered.

use anyhow::{Context, bail};
use clap::Subcommand;
use hubbub_aws::dead_letters::{DeadLetterOffice, HeldLetter};
use hubbub_aws::system::System;
use hubbub_core::ports::Clock;
use serde_json::{Value, json};

use crate::console::{Console, confirm, counted};
use crate::moment::{span, utc};
use crate::stack::Stack;

/// The arguments of `hubbub dead-letters`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: hubbub dead-letters redrive --all")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists them, oldest first.
    List,
    /// Shows one with its body.
    Show {
        /// Its id, or the beginning of it.
        id: String,
    },
    /// Puts letters back on the publish queue, as they came; mend the cause first. One that is in its channel's log already is not
    /// appended again.
    Redrive(Which),
    /// Deletes letters for good.
    Drop {
        #[command(flatten)]
        which: Which,
        /// Don't ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Their ids, or the beginnings of them.
    ids: Vec<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

/// Runs the command on the letters of the stack. Whatever it does, letters that are still there are seen by others afterwards.
pub(crate) async fn run(stack: &Stack, console: Console, arguments: Arguments) -> anyhow::Result<()> {
    let (letters, publish) = (stack.dead_letter_queue_url()?.to_owned(), stack.publish_queue_url()?.to_owned());
    let office = stack.clients()?.dead_letter_office(letters, publish);
    let mut letters = office.hold_all().await?;
    let done = carry_out(&office, console, &mut letters, arguments.command).await;
    office.release(&letters).await?;
    done
}

/// Carries out a command, and takes the letters that are gone off the list.
async fn carry_out(
    office: &DeadLetterOffice,
    console: Console,
    letters: &mut Vec<HeldLetter>,
    command: Command,
) -> anyhow::Result<()> {
    match command {
        Command::List if console.json => letters.iter().try_for_each(|letter| console.value(&to_json(letter)))?,
        Command::List => list(console, letters)?,
        Command::Show { id } => {
            let found = find(letters, std::slice::from_ref(&id))?;
            for letter in found.into_iter().filter_map(|index| letters.get(index)) {
                if console.json { console.value(&to_json(letter))? } else { console.line(show(letter))? }
            }
        }
        Command::Redrive(which) => {
            for index in choose(letters, &which)?.into_iter().rev() {
                let letter = letters.get(index).context("the letter is gone")?;
                office.redrive(letter).await?;
                eprintln!("redriven: {} to `{}`", letter.id, letter.group);
                letters.remove(index);
            }
        }
        Command::Drop { which, yes } => {
            let chosen = choose(letters, &which)?;
            if !yes {
                confirm(&format!("drop {} for good?", counted(u64::try_from(chosen.len())?, "dead letter")))?;
            }
            for index in chosen.into_iter().rev() {
                let letter = letters.get(index).context("the letter is gone")?;
                office.drop_letter(letter).await?;
                eprintln!("dropped: {}", letter.id);
                letters.remove(index);
            }
        }
    }
    Ok(())
}

fn choose(letters: &[HeldLetter], which: &Which) -> anyhow::Result<Vec<usize>> {
    if which.all { Ok((0..letters.len()).collect()) } else { find(letters, &which.ids) }
}

/// The places of letters, in the queue's order, by the beginnings of their ids.
fn find(letters: &[HeldLetter], ids: &[String]) -> anyhow::Result<Vec<usize>> {
    let mut found = Vec::new();
    for id in ids {
        let mut matching = letters.iter().enumerate().filter(|(_, letter)| letter.id.starts_with(id));
        match (matching.next(), matching.next()) {
            (Some((index, _)), None) => found.push(index),
            (None, _) => bail!("no dead letter's id begins with `{id}`: see `hubbub dead-letters list`"),
            (Some(_), Some(_)) => bail!("several dead letters' ids begin with `{id}`: give more of it"),
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn list(console: Console, letters: &[HeldLetter]) -> anyhow::Result<()> {
    if letters.is_empty() {
        return Ok(console.line("there are no dead letters")?);
    }
    let (id, reason, group, age) = ("ID", "REASON", "GROUP", "AGE");
    console.line(format_args!("{id:<10} {reason:<16} {group:<28} {age:>8}  DETAIL"))?;
    for letter in letters {
        let id: String = letter.id.chars().take(8).collect();
        let age = self::age(letter);
        console
            .line(format_args!("{id:<10} {:<16} {:<28} {age:>8}  {}", letter.reason, letter.group, letter.detail))?;
    }
    Ok(())
}

/// How long ago the letter was first seen.
fn age(letter: &HeldLetter) -> String {
    span(System.now().since(letter.first_seen))
}

fn show(letter: &HeldLetter) -> String {
    let HeldLetter { id, group, body, reason, detail, source, .. } = letter;
    format!(
        "id          {id}\ngroup       {group}\nreason      {reason}\ndetail      {detail}\nsource      {source}\n\
         first seen  {}, {} ago\n\n{body}",
        utc(letter.first_seen.0),
        age(letter)
    )
}

fn to_json(letter: &HeldLetter) -> Value {
    json!({
        "id": letter.id,
        "group": letter.group,
        "reason": letter.reason,
        "detail": letter.detail,
        "source": letter.source,
        "first_seen": letter.first_seen.0,
        "body": letter.body,
    })
}

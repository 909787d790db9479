//! `hubbub dead-letters`: what could not be delivered.

use std::io::{BufRead, Write};

use anyhow::{Context, bail};
use clap::Subcommand;
use hubbub_aws::dead_letters::{DeadLetterOffice, HeldLetter};
use hubbub_aws::system::System;
use hubbub_core::ports::Clock;
use serde_json::{Value, json};

use crate::stack::Stack;

/// The arguments of `hubbub dead-letters`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists them, oldest first.
    List {
        /// One JSON object a line, with the bodies.
        #[arg(long)]
        json: bool,
    },
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
pub(crate) async fn run(stack: &Stack, arguments: Arguments) -> anyhow::Result<()> {
    let office =
        stack.clients().dead_letter_office(stack.dead_letter_queue_url.clone(), stack.publish_queue_url.clone());
    let mut letters = office.hold_all().await?;
    let done = carry_out(&office, &mut letters, arguments.command).await;
    office.release(&letters).await?;
    done
}

/// Carries out a command, and takes the letters that are gone off the list.
async fn carry_out(office: &DeadLetterOffice, letters: &mut Vec<HeldLetter>, command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { json: true } => letters.iter().for_each(|letter| println!("{}", to_json(letter))),
        Command::List { json: false } => list(letters),
        Command::Show { id } => {
            let found = find(letters, std::slice::from_ref(&id))?;
            found.into_iter().filter_map(|index| letters.get(index)).for_each(show);
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
            if !yes && !confirm(chosen.len())? {
                bail!("nothing was dropped");
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

fn confirm(count: usize) -> anyhow::Result<bool> {
    let letters = if count == 1 { "dead letter" } else { "dead letters" };
    eprint!("drop {count} {letters} for good? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn list(letters: &[HeldLetter]) {
    if letters.is_empty() {
        println!("there are no dead letters");
        return;
    }
    println!("{:<10} {:<16} {:<28} {:>8}  DETAIL", "ID", "REASON", "GROUP", "AGE");
    for letter in letters {
        let id: String = letter.id.chars().take(8).collect();
        let age = age(letter);
        println!("{id:<10} {:<16} {:<28} {age:>8}  {}", letter.reason, letter.group, letter.detail);
    }
}

/// How long ago the letter was first seen, in its largest unit.
fn age(letter: &HeldLetter) -> String {
    let seconds = System.now().since(letter.first_seen).as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn show(letter: &HeldLetter) {
    println!("id          {}", letter.id);
    println!("group       {}", letter.group);
    println!("reason      {}", letter.reason);
    println!("detail      {}", letter.detail);
    println!("source      {}", letter.source);
    println!("first seen  {} ms since 1970, {} ago", letter.first_seen.0, age(letter));
    println!("\n{}", letter.body);
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

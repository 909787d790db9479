//! Answers each message of a room that begins with `!`.
//!
//! Usage: cargo run --example bot -- URL USER TOKEN ROOM

use hubbub_client::{Channel, Event, Session, SessionOptions, Start, Tokens};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, user, token, room] = arguments.as_slice() else { return Err("usage: bot URL USER TOKEN ROOM".into()) };
    let (session, mut events) = Session::open(SessionOptions::new(url, user, Tokens::fixed(token)));
    session.join(Channel::room(room), Start::Now).await?;
    while let Some(event) = events.next().await {
        let Event::Message(delivery) = event else { continue };
        let message = delivery.message;
        // The bot gets its own messages, too.
        if message.from == *user {
            continue;
        }
        if let Ok(text) = message.read::<String>()
            && let Some(command) = text.strip_prefix('!')
        {
            // The id is made of the message's own: if the bot restarts and answers again soon, the room gets one answer.
            let id = format!("answer-{}-{}", delivery.epoch, message.seq);
            session.publish(room, &format!("{}: I know nothing of {command}", message.from), Some(&id)).await?;
        }
    }
    Ok(())
}

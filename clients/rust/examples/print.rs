//! Joins a room and prints its messages.
//!
//! Usage: cargo run --example print -- URL USER TOKEN ROOM

use hubbub_client::{Channel, Event, Session, SessionOptions, Start, Tokens};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, user, token, room] = arguments.as_slice() else { return Err("usage: print URL USER TOKEN ROOM".into()) };
    let (session, mut events) = Session::open(SessionOptions::new(url, user, Tokens::fixed(token)));
    session.join(Channel::room(room), Start::Beginning).await?;
    while let Some(event) = events.next().await {
        match event {
            Event::Message(delivery) => {
                let message = delivery.message;
                println!("{} {}: {}", message.seq, message.from, message.body().unwrap_or("(no body)"));
            }
            Event::Reset { head, .. } => println!("messages before {head} are no longer kept"),
            Event::Closed(reason) => println!("the session has ended: {reason}"),
            _ => {}
        }
    }
    Ok(())
}

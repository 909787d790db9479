//! Publishes a message to a room and prints its receipt.
//!
//! Usage: cargo run --example publish -- URL USER TOKEN ROOM TEXT

use hubbub_client::{Channel, Event, Session, SessionOptions, Start, Tokens};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, user, token, room, text] = arguments.as_slice() else {
        return Err("usage: publish URL USER TOKEN ROOM TEXT".into());
    };
    let (session, mut events) = Session::open(SessionOptions::new(url, user, Tokens::fixed(token)));
    session.join(Channel::room(room), Start::Now).await?;
    let accepted = session.publish_for_receipt(Channel::room(room), text, None).await?;
    println!("the message {} is durable", accepted.id);
    while let Some(event) = events.next().await {
        if let Event::Receipt(receipt) = event
            && receipt.id == accepted.id
        {
            println!("{} of {} members got it within {} ms", receipt.delivered, receipt.members, receipt.ms);
            break;
        }
    }
    session.close().await;
    Ok(())
}

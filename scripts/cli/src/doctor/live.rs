//! What can only be tried: a socket, a message by the queue, and an execution.
//!
//! What fails here is looked for in the functions' logs, where the reason is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hubbub_aws::operations::Run;
use hubbub_aws::system::System;
use hubbub_client::{Client, Event, Events, Options};
use hubbub_core::broadcast::round::BroadcastInput;
use hubbub_core::log::lease;
use hubbub_core::ports::{Clock, Ids, PublishQueue};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{MessageId, RoomId, UserId};
use hubbub_core::wire::message::Body;
use hubbub_core::wire::queue_message::Envelope;
use hubbub_core::wire::time::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::finding::Finding;
use super::setup::function_names;
use super::{Record, USER, Visit};

/// Levels of log lines that say what went wrong.
const LEVELS: [&str; 2] = ["ERROR", "WARN"];

/// How long logs take to arrive, about.
const LOGS_ARRIVE: Duration = Duration::from_secs(1);

/// What AWS says before the name of an action that isn't allowed.
const REFUSAL: &str = "is not authorized to perform: ";

/// How many log lines are told.
const TRACES: usize = 5;

/// How much of a log line is shown.
const SHOWN: usize = 300;

/// Tries it all.
pub(super) async fn try_out(visit: &Visit<'_>, record: &mut Record, room: &RoomId) -> anyhow::Result<()> {
    let began = System.now();
    let member = match connect(visit, room).await {
        Ok((finding, member)) => {
            record.add(finding)?;
            member
        }
        Err(found) => {
            record
                .add(failed(visit, "socket", &found, "the door: `authorize`, `connect` and `receive`", began).await)?;
            None
        }
    };
    if let Some((client, events)) = member {
        let began = System.now();
        let finding = match deliver(visit, room, events).await {
            Ok(found) => Finding::ok("message", found),
            Err(found) => {
                failed(
                    visit,
                    "message",
                    &found,
                    "between the publish queue and the socket: the mapping, `deliver`, the table, the callback URL",
                    began,
                )
                .await
            }
        };
        record.add(finding)?;
        client.close().await;
    }
    let began = System.now();
    let finding = match broadcast(visit, room).await {
        Ok(found) => Finding::ok("execution", found),
        Err(found) => failed(visit, "execution", &found, "the state machine and `plan-broadcast`", began).await,
    };
    record.add(finding)
}

type Member = (Client, Events);

/// Opens a socket and joins the room.
async fn connect(visit: &Visit<'_>, room: &RoomId) -> Result<(Finding, Option<Member>), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    if visit.stack.outputs.token_key_parameter.is_none() {
        let found = "not tried, nor a message: tokens are signed elsewhere; `hubbub tail room:… --token …` is the same";
        return Ok((Finding::skipped("socket", found), None));
    }
    let key = visit.stack.signing_key().await.map_err(|error| format!("no token can be signed: {error:#}"))?;
    let user = UserId::parse(USER).map_err(|error| said(&error))?;
    let token = key.sign_briefly(&user, json!({"join": [room]})).map_err(|error| said(&error))?;
    let url = visit.stack.web_socket_url().map_err(|error| said(&error))?;
    let mut options = Options::new(url, USER, token);
    (options.connection.connect_timeout, options.connection.request_timeout) = (visit.patience, visit.patience);
    let began = Instant::now();
    let (client, events) =
        Client::connect(options).await.map_err(|error| format!("no socket opens at `{url}`: {error}"))?;
    let opened = began.elapsed();
    client
        .join_room(room.as_str())
        .await
        .map_err(|error| format!("a socket opens, but can't join `room:{room}`: {error}"))?;
    let found = format!("opens with a token in {} ms, and joins `room:{room}`", opened.as_millis());
    Ok((Finding::ok("socket", found), Some((client, events))))
}

/// Sends a message by the queue, and waits until it comes over the socket.
async fn deliver(visit: &Visit<'_>, room: &RoomId, mut events: Events) -> Result<String, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let id = System.fresh();
    let body = json!({"doctor": "this message shows that messages arrive"}).to_string();
    let envelope = Envelope {
        channel: Channel::Room(room.clone()),
        id: MessageId::parse(&id).map_err(|error| said(&error))?,
        from: UserId::parse(USER).map_err(|error| said(&error))?,
        body: Body::parse(body).map_err(|error| said(&error))?,
        receipt: None,
    };
    let url = visit.stack.publish_queue_url().map_err(|error| said(&error))?.to_owned();
    let queue = visit.stack.clients().map_err(|error| said(&error))?.publish_queue(url);
    let began = Instant::now();
    queue.enqueue(&envelope).await.map_err(|error| format!("the publish queue takes no message: {error}"))?;
    let arrival = timeout(visit.patience, async {
        while let Some(event) = events.next().await {
            match event {
                Event::Message(delivery) if delivery.message.id == id => return Ok(()),
                Event::Closed(reason) => return Err(format!("the socket ended before the message came: {reason}")),
                _ => {}
            }
        }
        Err("the socket ended before the message came".to_owned())
    });
    match arrival.await {
        Ok(Ok(())) => Ok(format!("comes from the publish queue over the socket in {} ms", began.elapsed().as_millis())),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(format!(
            "a message of the publish queue didn't come over the socket within {} s",
            visit.patience.as_secs()
        )),
    }
}

/// Starts an execution under a lease that nobody holds: it asks `plan-broadcast`, finds that it has no business there, and ends.
async fn broadcast(visit: &Visit<'_>, room: &RoomId) -> Result<String, String> {
    let channel = Channel::Room(room.clone());
    let lease = lease::first(&channel, &System.fresh());
    let arn = visit.stack.outputs.state_machine_arn.as_deref().unwrap_or_default();
    let began = Instant::now();
    match visit.inspector.run_machine(arn, &BroadcastInput { channel, lease }, visit.patience).await {
        Ok(Run::Succeeded) => Ok(format!("starts, plans and ends in {} ms", began.elapsed().as_millis())),
        Ok(Run::Failed(error)) => Err(format!("one that has nothing to do failed: {}", shorten(&error))),
        Ok(Run::Running) => Err(format!("one that has nothing to do didn't end within {} s", visit.patience.as_secs())),
        Err(error) => Err(format!("none can be started: {}", shorten(&error.to_string()))),
    }
}

/// A fault, with what the functions have logged meanwhile.
async fn failed(visit: &Visit<'_>, check: &str, found: &str, place: &str, since: Timestamp) -> Finding {
    tokio::time::sleep(LOGS_ARRIVE).await;
    let mut traces = BTreeSet::new();
    for function in function_names(visit) {
        for level in LEVELS {
            let lines = visit.inspector.log_lines(&function, since, level).await.unwrap_or_default();
            traces.extend(lines.iter().filter_map(|line| trace(&function, line)));
        }
    }
    if traces.is_empty() {
        let remedy = "no function has logged an error meanwhile: mend what the checks above say first, and look at what lies between";
        return Finding::fault(check, found, place, remedy);
    }
    let traces: Vec<String> = traces.into_iter().take(TRACES).collect();
    Finding::fault(check, found, place, traces.join("; "))
}

/// What a function's log line says is wrong, and what to do.
fn trace(function: &str, line: &str) -> Option<String> {
    let fields: Value = serde_json::from_str(line).ok()?;
    let field =
        |name: &str| fields.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let message = field("message")?;
    // An order that is carried out is a warning, too.
    if fields.get("audit").is_some() {
        return None;
    }
    if let Some(action) = refused_action(line) {
        return Some(format!("allow `{function}` the action `{action}`, on what it is used for: {DENIED}"));
    }
    if message == "post refused" {
        let status = field("status").unwrap_or_default();
        let exception = field("exception").map(|name| format!(", {name}")).unwrap_or_default();
        let permission = if status.starts_with("403") {
            ", and that it is allowed `execute-api:ManageConnections` there"
        } else {
            ""
        };
        return Some(format!(
            "see that the callback URL of `{function}` is the stage's{permission}: its posts are refused ({status}{exception})"
        ));
    }
    let error = field("error").map(|error| format!(": {}", shorten(&error))).unwrap_or_default();
    Some(format!("see the log of `{function}`: {message}{error}"))
}

const DENIED: &str = "AWS answers AccessDenied";

/// The action that was refused, where the text says so.
fn refused_action(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(REFUSAL)?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == ':' || c == '-')).unwrap_or(rest.len());
    rest.get(..end)
}

fn shorten(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_traced_to_its_function_and_action() {
        let line = r#"{"level":"ERROR","message":"not delivered","channel":"room:x","error":"dynamodb:UpdateItem failed: User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: dynamodb:UpdateItem on resource: arn:t"}"#;
        let said = trace("hubbub-dev-deliver", line).unwrap();
        assert!(said.contains("`hubbub-dev-deliver`") && said.contains("`dynamodb:UpdateItem`"), "{said}");
    }

    #[test]
    fn a_refused_post_is_a_permission_or_an_address() {
        let line = |status: &str| format!(r#"{{"level":"WARN","message":"post refused","status":"{status}"}}"#);
        assert!(trace("f", &line("403 Forbidden")).unwrap().contains("execute-api:ManageConnections"));
        let not_found = trace("f", &line("404 Not Found")).unwrap();
        assert!(not_found.contains("callback URL") && !not_found.contains("ManageConnections"));
    }

    #[test]
    fn other_lines_are_quoted_and_audits_are_not_faults() {
        assert_eq!(trace("f", r#"{"message":"not woken","error":"no"}"#).unwrap(), "see the log of `f`: not woken: no");
        assert_eq!(trace("f", r#"{"message":"order carried out","audit":"kick"}"#), None);
        assert_eq!(trace("f", "REPORT RequestId: 1 ERROR"), None);
    }
}

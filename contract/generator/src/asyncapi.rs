//! The AsyncAPI document. Its point of view is Hubbub's: what Hubbub receives, a client or a service sends.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use hubbub_core::names::subprotocols;
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::queue_message::VERSION;
use hubbub_core::wire::schema::MAX_BYTES;
use serde_json::{Map, Value, json};

use crate::scene::Examples;
use crate::schemas::{self, Described, Dialect, Frames, Named};

const DIALECT: Dialect = Dialect::AsyncApi;

const SOCKET: &str = "socket";
const PUBLISH_QUEUE: &str = "publishQueue";
const DEAD_LETTER_QUEUE: &str = "deadLetterQueue";

/// The document, with these examples.
///
/// # Errors
/// When two parts would have the same name.
pub fn document(examples: &Examples) -> Result<Value> {
    let mut parts = Parts::default();
    let requests = schemas::client_frames(DIALECT)?;
    let frames = schemas::server_frames(DIALECT, |frame| examples.is_answer(frame))?;
    parts.frames(&requests, &examples.requests)?;
    parts.frames(&frames, &examples.frames)?;
    let socket = parts.take_channel(json!({
        "address": "/",
        "title": "A client's socket",
        "description": "Frames are JSON texts, each with its `action` or `type`. An answer repeats the `ref` of its question.",
        "servers": [{ "$ref": "#/servers/api" }],
        "bindings": { "ws": { "method": "GET" } },
    }));

    let queue_attributes = parts.attributes(schemas::queue_attributes(DIALECT)?)?;
    parts.definitions(schemas::queue_messages(DIALECT)?.definitions)?;
    let kinds = [
        ("Envelope", "message", &examples.parcels.messages),
        ("ModerationCommand", "moderation command", &examples.parcels.commands),
        ("Wake", "wake", &examples.parcels.wakes),
    ];
    for (schema, name, said) in kinds {
        let said = said.iter().map(|(payload, headers)| json!({ "payload": payload, "headers": headers })).collect();
        parts.message(schema, name, DIALECT.reference(schema), Some(&queue_attributes), said)?;
    }
    let publish_queue = parts.take_channel(json!({
        "address": "{publishQueueUrl}",
        "title": "The publish queue",
        "description": "A FIFO queue. Headers are what SQS calls the message group and the deduplication id.",
        "servers": [{ "$ref": "#/servers/queues" }],
        "parameters": { "publishQueueUrl": { "description": "The stack's output `publishQueueUrl`." } },
    }));

    let letter_attributes = parts.attributes(schemas::dead_letter_attributes(DIALECT)?)?;
    let letters = examples.dead_letters.iter();
    let letters = letters.map(|(headers, body)| json!({ "payload": body, "headers": headers })).collect();
    let any_text = json!({ "type": "string", "description": "The message, as it came." });
    parts.message("DeadLetter", "dead letter", any_text, Some(&letter_attributes), letters)?;
    let dead_letter_queue = parts.take_channel(json!({
        "address": "{deadLetterQueueUrl}",
        "title": "The dead-letter queue",
        "description": "What can't be delivered. Headers are message attributes.",
        "servers": [{ "$ref": "#/servers/queues" }],
        "parameters": { "deadLetterQueueUrl": { "description": "The stack's output `deadLetterQueueUrl`." } },
    }));

    Ok(json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Hubbub",
            "version": VERSION.to_string(),
            "description": "Serverless real-time messaging on AWS. PROTOCOL.md says what the frames and the rules mean. Hubbub is the \
                application here: an operation that receives is what a client or a service sends. Unknown fields are ignored.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "api": {
                "host": "{api}.execute-api.{region}.amazonaws.com",
                "pathname": "/{stage}",
                "protocol": "wss",
                "description": "The stack's output `webSocketUrl`.",
                "variables": {
                    "api": { "description": "The API's id." },
                    "region": { "description": "The Region." },
                    "stage": { "description": "The API's stage." },
                },
                "security": [
                    { "$ref": "#/components/securitySchemes/bearer" },
                    { "$ref": "#/components/securitySchemes/subprotocol" },
                    { "$ref": "#/components/securitySchemes/query" },
                ],
            },
            "queues": {
                "host": "sqs.{region}.amazonaws.com",
                "protocol": "sqs",
                "description": "Amazon SQS.",
                "variables": { "region": { "description": "The Region." } },
            },
        },
        "channels": { SOCKET: socket, PUBLISH_QUEUE: publish_queue, DEAD_LETTER_QUEUE: dead_letter_queue },
        "operations": operations(&requests, &frames, examples),
        "components": {
            "messages": parts.messages,
            "schemas": parts.schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "subprotocol": {
                    "type": "httpApiKey",
                    "in": "header",
                    "name": subprotocols::HEADER,
                    "description": format!(
                        "`{}, {}<token>`, which is all that a browser can set.",
                        subprotocols::HUBBUB_V1, subprotocols::BEARER
                    ),
                },
                "query": {
                    "type": "httpApiKey",
                    "in": "query",
                    "name": "token",
                    "description": "The last resort: addresses end up in logs.",
                },
            },
        },
    }))
}

fn message_reference(channel: &str, message: &str) -> Value {
    json!({ "$ref": format!("#/channels/{channel}/messages/{message}") })
}

/// What is collected while the document is written.
#[derive(Default)]
struct Parts {
    schemas: Named,
    messages: Named,
    /// The messages of the channel that is being written.
    channel: Named,
}

impl Parts {
    fn definitions(&mut self, definitions: Named) -> Result<()> {
        for (name, schema) in definitions {
            let known = self.schemas.entry(name.clone()).or_insert_with(|| schema.clone());
            ensure!(*known == schema, "there are two schemas of `{name}`");
        }
        Ok(())
    }

    /// A message for each frame.
    fn frames(&mut self, frames: &Frames, examples: &BTreeMap<String, Vec<Value>>) -> Result<()> {
        self.definitions(frames.any.definitions.clone())?;
        for (name, schema) in &frames.names {
            let said = examples.get(name).into_iter().flatten();
            let said: Vec<Value> = said.map(|payload| json!({ "payload": payload })).collect();
            ensure!(!said.is_empty(), "the scene has no example of `{name}`");
            self.message(schema, name, DIALECT.reference(schema), None, said)?;
            if let Some(Value::Object(message)) = self.messages.get_mut(schema) {
                message.insert(MAX_BYTES.into(), API_GATEWAY.max_frame_bytes.into());
            }
        }
        Ok(())
    }

    /// A definition of a schema's own, for headers; what refers to it.
    fn attributes(&mut self, Described { mut root, definitions }: Described) -> Result<Value> {
        self.definitions(definitions)?;
        let name = root.remove("title").and_then(|title| title.as_str().map(str::to_owned)).unwrap_or_default();
        self.definitions(Map::from_iter([(name.clone(), Value::Object(root))]))?;
        Ok(DIALECT.reference(&name))
    }

    fn message(
        &mut self,
        key: &str,
        name: &str,
        payload: Value,
        headers: Option<&Value>,
        examples: Vec<Value>,
    ) -> Result<()> {
        let summary = self.schemas.get(key).and_then(|schema| schema.get("description")).cloned();
        let mut message = Map::from_iter([
            ("name".into(), name.into()),
            ("payload".into(), payload),
            ("examples".into(), Value::Array(examples)),
        ]);
        message.extend(summary.map(|summary| ("summary".into(), summary)));
        message.extend(headers.map(|headers| ("headers".into(), headers.clone())));
        ensure!(self.messages.insert(key.to_owned(), Value::Object(message)).is_none(), "there are two of `{key}`");
        self.channel.insert(key.to_owned(), json!({ "$ref": format!("#/components/messages/{key}") }));
        Ok(())
    }

    /// A channel with the messages since the last one.
    fn take_channel(&mut self, mut channel: Value) -> Value {
        let messages = std::mem::take(&mut self.channel);
        if let Value::Object(fields) = &mut channel {
            fields.insert("messages".into(), Value::Object(messages));
        }
        channel
    }
}

/// An operation for each action, one for what the server sends by itself, and those of the queues.
fn operations(requests: &Frames, frames: &Frames, examples: &Examples) -> Value {
    let socket = json!({ "$ref": format!("#/channels/{SOCKET}") });
    let mut operations = Map::new();
    for (action, schema) in &requests.names {
        let answers = examples.answers.get(action);
        let is_reply =
            |name: &str| name == "error" || name == "closing" || answers.is_some_and(|one| one.contains(name));
        let replies = frames.names.iter().filter(|(name, _)| is_reply(name));
        let replies: Vec<Value> = replies.map(|(_, schema)| message_reference(SOCKET, schema)).collect();
        operations.insert(
            action.clone(),
            json!({
                "action": "receive",
                "channel": socket,
                "messages": [message_reference(SOCKET, schema)],
                "reply": { "channel": socket, "messages": replies },
            }),
        );
    }
    let posts = frames.names.iter().filter(|(name, _)| examples.posted.contains(name));
    let posts: Vec<Value> = posts.map(|(_, schema)| message_reference(SOCKET, schema)).collect();
    operations.insert(
        "post".into(),
        json!({
            "action": "send",
            "summary": "What the server sends without being asked.",
            "channel": socket,
            "messages": posts,
        }),
    );
    let queues = [
        (
            "takeFromQueue",
            "receive",
            PUBLISH_QUEUE,
            "What services put on the queue.",
            &["Envelope", "ModerationCommand", "Wake"][..],
        ),
        ("bury", "send", DEAD_LETTER_QUEUE, "What can't be delivered.", &["DeadLetter"][..]),
    ];
    for (name, action, channel, summary, messages) in queues {
        let messages: Vec<Value> = messages.iter().map(|message| message_reference(channel, message)).collect();
        let channel = json!({ "$ref": format!("#/channels/{channel}") });
        operations.insert(
            name.into(),
            json!({ "action": action, "summary": summary, "channel": channel, "messages": messages }),
        );
    }
    Value::Object(operations)
}

//! The schemas of each door: of what comes in, as it is read, and of what goes out, as it is written.

use anyhow::{Context, Result, bail, ensure};
use hubbub_core::actions::ClientFrame;
use hubbub_core::wire::dead_letter::DeadLetterAttributes;
use hubbub_core::wire::queue_message::{QueueMessage, Versioned};
use hubbub_core::wire::schema::QueueAttributes;
use hubbub_core::wire::server_frame::Answer;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The kinds of queue messages.
pub const QUEUE_MESSAGES: [&str; 3] = ["Envelope", "ModerationCommand", "Wake"];

/// JSON objects, by their names.
pub type Named = Map<String, Value>;

/// What a schema is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A file of its own, in JSON Schema 2020-12.
    Json,
    /// A part of the AsyncAPI document, whose schemas are a superset of JSON Schema draft 7.
    AsyncApi,
}

impl Dialect {
    const fn definitions(self) -> &'static str {
        match self {
            Self::Json => "/$defs",
            Self::AsyncApi => "/components/schemas",
        }
    }

    fn settings(self) -> SchemaSettings {
        let settings = match self {
            Self::Json => SchemaSettings::draft2020_12(),
            Self::AsyncApi => SchemaSettings::draft07().with(|settings| {
                settings.meta_schema = None;
                settings.definitions_path = self.definitions().into();
            }),
        };
        settings.with_transform(RecursiveTransform(tidy))
    }

    /// What refers to a definition.
    #[must_use]
    pub fn reference(self, name: &str) -> Value {
        json!({ "$ref": format!("#{}/{name}", self.definitions()) })
    }
}

/// Takes out a format of schemars' own, which validators don't know, and the line breaks of our comments.
fn tidy(schema: &mut Schema) {
    schema.remove("format");
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}

/// A schema and the definitions that it refers to.
#[derive(Clone, Debug)]
pub struct Described {
    /// The schema.
    pub root: Named,
    /// The definitions, by their names.
    pub definitions: Named,
}

impl Described {
    /// As a schema of its own.
    ///
    /// # Errors
    /// None that is known: it is an object.
    pub fn into_schema(mut self) -> Result<Schema> {
        self.root.insert("$defs".into(), Value::Object(self.definitions));
        Ok(Schema::try_from(Value::Object(self.root))?)
    }
}

/// The schema of a type, as it is read.
///
/// # Errors
/// None that is known: a derived schema is an object.
fn read<T: JsonSchema>(dialect: Dialect) -> Result<Described> {
    describe::<T>(dialect.settings().for_deserialize().into_generator(), dialect)
}

/// The schema of a type, as it is written: what isn't there is left out, and never `null`.
///
/// # Errors
/// As [`read`].
fn written<T: JsonSchema>(dialect: Dialect) -> Result<Described> {
    // First, because what is left is then written as the dialect wants it.
    let settings = dialect.settings().for_serialize().with(|settings| {
        settings.transforms.insert(0, Box::new(RecursiveTransform(never_null)));
    });
    describe::<T>(settings.into_generator(), dialect)
}

fn describe<T: JsonSchema>(mut generator: SchemaGenerator, dialect: Dialect) -> Result<Described> {
    let schema = generator.root_schema_for::<T>().to_value();
    // Taken from the generator, because transforms find definitions only where JSON Schema has them.
    let definitions = generator.take_definitions(true);
    let Value::Object(mut root) = schema else { bail!("the schema is no object: {schema}") };
    let folder = dialect.definitions().split('/').nth(1).context("definitions are in a folder")?;
    root.remove(folder);
    Ok(Described { root, definitions })
}

/// Takes `null` out of a schema.
fn never_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice != &json!({ "type": "null" }));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
}

/// The frames of a direction, by their names on the wire.
#[derive(Clone, Debug)]
pub struct Frames {
    /// Any of them.
    pub any: Described,
    /// For each its name on the wire, and the definition's name.
    pub names: Vec<(String, String)>,
}

/// What clients send.
///
/// # Errors
/// None that is known: derived schemas of tagged enums have this form.
pub fn client_frames(dialect: Dialect) -> Result<Frames> {
    split(read::<ClientFrame>(dialect)?, dialect, "action", "Request", |_| true)
}

/// What the server sends; those whose names are among the answers may have a `ref`.
///
/// # Errors
/// As [`client_frames`].
pub fn server_frames(dialect: Dialect, is_answer: impl Fn(&str) -> bool) -> Result<Frames> {
    let mut frames = split(written::<Answer>(dialect)?, dialect, "type", "Frame", is_answer)?;
    frames.any.root.insert("title".into(), "ServerFrame".into());
    frames
        .any
        .root
        .insert("description".into(), "A server's frame. Clients ignore fields and types that they don't know.".into());
    Ok(frames)
}

/// The messages on the publish queue. Each kind is a definition of its own, with its version.
///
/// # Errors
/// As [`client_frames`].
pub fn queue_messages(dialect: Dialect) -> Result<Described> {
    let mut described = read::<Versioned<QueueMessage>>(dialect)?;
    let version = described.root.remove("properties").and_then(|properties| properties.get("v").cloned());
    let version = version.context("a queue message has a version")?;
    described.root.remove("required");
    described.root.insert("title".into(), "QueueMessage".into());
    for kind in QUEUE_MESSAGES {
        let definition = described.definitions.get_mut(kind).with_context(|| format!("there is no `{kind}`"))?;
        let properties = definition.get_mut("properties").and_then(Value::as_object_mut).context("it has fields")?;
        properties.insert("v".into(), version.clone());
        let required = definition.get_mut("required").and_then(Value::as_array_mut).context("it needs fields")?;
        required.insert(0, "v".into());
    }
    Ok(described)
}

/// The attributes that a message on the publish queue has.
///
/// # Errors
/// As [`client_frames`].
pub fn queue_attributes(dialect: Dialect) -> Result<Described> {
    read::<QueueAttributes>(dialect)
}

/// The attributes that a dead letter has.
///
/// # Errors
/// As [`client_frames`].
pub fn dead_letter_attributes(dialect: Dialect) -> Result<Described> {
    written::<DeadLetterAttributes>(dialect)
}

/// Gives each choice of a tagged enum a definition of its own, with the fields that all have in common.
fn split(
    mut described: Described,
    dialect: Dialect,
    tag: &str,
    suffix: &str,
    has_common: impl Fn(&str) -> bool,
) -> Result<Frames> {
    let root = &mut described.root;
    let common = root.remove("properties").and_then(|common| common.as_object().cloned()).unwrap_or_default();
    ensure!(root.remove("required").is_none(), "what frames have in common is optional");
    let Some(Value::Array(choices)) = root.remove("oneOf") else { bail!("{tag}: there are no choices") };
    let mut names = Vec::new();
    for mut choice in choices {
        let properties = choice.get_mut("properties").and_then(Value::as_object_mut).context("a choice has fields")?;
        let name = properties.get(tag).and_then(|tag| tag.get("const")).and_then(Value::as_str);
        let name = name.with_context(|| format!("a choice has no `{tag}`"))?.to_owned();
        if has_common(&name) {
            properties.extend(common.clone());
        }
        let definition = format!("{}{suffix}", pascal(&name));
        ensure!(!described.definitions.contains_key(&definition), "there are two definitions of `{definition}`");
        described.definitions.insert(definition.clone(), choice);
        names.push((name, definition));
    }
    let references = names.iter().map(|(_, definition)| dialect.reference(definition)).collect();
    root.insert("oneOf".into(), Value::Array(references));
    Ok(Frames { any: described, names })
}

/// `some_name` as `SomeName`.
fn pascal(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    name.split('_').map(capital).collect()
}

#!/usr/bin/env node
/**
 * Writes sdk/wire.d.ts, the TypeScript types of the frames on a client's WebSocket, from the wire contract's JSON Schemas. `--check` writes
 * nothing, and fails if the file is not what would be written.
 *
 * It knows the keywords that the contract uses, and stops at any other: a type that is too wide would check nothing.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";

const SCHEMAS = ["client-frame", "server-frame"].map((name) => new URL(`../../contract/schemas/${name}.json`, import.meta.url));
const OUTPUT = new URL("sdk/wire.d.ts", import.meta.url);
const HEAD = "// Generated from contract/schemas by wire-types.js: change the Rust types there.\n";

/** Keywords without an effect on the TypeScript type. */
const ANNOTATIONS = new Set(
  "$schema $id $comment $defs deprecated unevaluatedProperties title description default examples format pattern minimum maximum minLength maxLength minItems maxItems maxProperties".split(" "),
);
const TYPES = { string: "string", integer: "number", number: "number", boolean: "boolean", null: "null" };

const indent = (text) => text.replaceAll("\n", "\n  ");
const comment = ({ description }) => (description ? `/** ${description} */\n` : "");
const union = (types) => [...new Set(types)].join(" | ");
const inUnion = (type) => (type.includes(" & ") ? `(${type})` : type);

/** The type of a schema: all its parts at once. */
function typeOf(schema) {
  if (schema === true) return "unknown";
  const parts = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (ANNOTATIONS.has(keyword) || keyword.startsWith("x-")) continue;
    if (keyword === "$ref") parts.push(value.replace("#/$defs/", ""));
    else if (keyword === "const") parts.push(JSON.stringify(value));
    else if (keyword === "enum") parts.push(union(value.map((one) => JSON.stringify(one))));
    else if (keyword === "oneOf" || keyword === "anyOf") parts.push(Object.keys(schema).some(isPart) ? `(${choice(value)})` : choice(value));
    else if (keyword === "allOf") parts.push(...value.map((one) => inUnion(typeOf(one))));
    else if (keyword === "type") parts.push(...basicType(schema));
    else if (!(keyword in PARTS_OF_TYPE)) throw new Error(`the keyword \`${keyword}\` is not known: teach it to wire-types.js`);
  }
  return parts.join(" & ") || "unknown";
}

/** Keywords that stand beside a choice in an intersection. @param {string} keyword */
const isPart = (keyword) => keyword === "properties" || keyword === "$ref" || keyword === "allOf";

/** Keywords that `basicType` reads. */
const PARTS_OF_TYPE = { properties: 1, required: 1, items: 1, additionalProperties: 1, patternProperties: 1, propertyNames: 1 };

/** The type by `type` and the keywords that belong to it; nothing if another keyword is narrower. */
function basicType(schema) {
  const types = [schema.type].flat();
  if ("const" in schema || "enum" in schema) return [];
  const isShell = types[0] === "object" && !("properties" in schema) && ("oneOf" in schema || "anyOf" in schema || "$ref" in schema);
  if (isShell) return [];
  return [union(types.map((type) => (type === "object" ? objectType(schema) : type === "array" ? arrayType(schema) : TYPES[type])))];
}

function arrayType({ items = true }) {
  const type = typeOf(items);
  return /^[\w]+$/.test(type) ? `${type}[]` : `(${type})[]`;
}

function objectType({ properties, required = [], additionalProperties, patternProperties }) {
  const [values] = [additionalProperties, ...Object.values(patternProperties ?? {})].filter((one) => typeof one === "object");
  if (!properties) return values ? `Record<string, ${typeOf(values)}>` : "Record<string, unknown>";
  const field = ([name, schema]) => `${comment(schema)}${name}${required.includes(name) ? "" : "?"}: ${typeOf(schema)};`;
  return `{\n  ${indent(Object.entries(properties).map(field).join("\n"))}\n}`;
}

/** One of several. If all are objects, each gets the others' fields as `undefined`, so that `tsc` can tell them apart by a field. */
function choice(schemas) {
  const fields = new Set(schemas.flatMap(({ properties = {} }) => Object.keys(properties)));
  const areObjects = schemas.every(({ properties }) => properties);
  return union(
    schemas.map((schema) => {
      if (!areObjects) return inUnion(typeOf(schema));
      const missing = [...fields].filter((name) => !(name in schema.properties)).map((name) => `\n  ${name}?: undefined;`);
      return typeOf(schema).replace(/\n\}$/, `${missing.join("")}\n}`);
    }),
  );
}

function declare(name, schema) {
  const { oneOf = [] } = schema;
  if (oneOf.length > 0 && oneOf.every((one) => "const" in one)) {
    const values = oneOf.map((one) => `\n  ${indent(comment(one))}| ${JSON.stringify(one.const)}`);
    return `${comment(schema)}export type ${name} =${values.join("")};\n`;
  }
  const type = typeOf(schema);
  const isPlain = type.startsWith("{") && !type.includes("} &") && !type.includes("} |");
  const lines = type.split(" | ");
  const text = type.length > 120 && !type.includes("\n") ? `\n  | ${lines.join("\n  | ")}` : ` ${type}`;
  return `${comment(schema)}export ${isPlain ? `interface ${name} ${type}` : `type ${name} =${text};`}\n`;
}

function generate() {
  const types = new Map();
  for (const file of SCHEMAS) {
    const schema = JSON.parse(readFileSync(file, "utf8"));
    for (const [name, one] of Object.entries({ [schema.title]: schema, ...schema.$defs })) {
      const text = declare(name, one);
      if ((types.get(name) ?? text) !== text) throw new Error(`\`${name}\` is not the same in all schemas`);
      types.set(name, text);
    }
  }
  return [HEAD, ...types.values()].join("\n");
}

const text = generate();
if (!process.argv.includes("--check")) writeFileSync(OUTPUT, text);
else if (!existsSync(OUTPUT) || readFileSync(OUTPUT, "utf8") !== text) {
  console.error("`sdk/wire.d.ts` is not what wire-types.js writes: run `npm run build`");
  process.exitCode = 1;
}

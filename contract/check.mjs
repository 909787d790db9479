// Checks the wire contract with two npm packages: AsyncAPI's own parser, and a JSON Schema validator. They must accept every example, and must
// find each fault that is put into a copy here.
//
// Usage: node contract/check.mjs

import { Parser } from "@asyncapi/parser";
import Ajv2020 from "ajv/dist/2020.js";
import Ajv7 from "ajv";
import { readFileSync } from "node:fs";

const read = (file) => JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8"));
const contract = read("asyncapi.json");
const messages = Object.entries(contract.components.messages);

let problems = 0;
function report(where, problem) {
    console.error(`${where}: ${problem}`);
    problems += 1;
}

/** The errors and warnings of the parser, without its hints. */
async function faultsOf(document) {
    const { diagnostics } = await new Parser().parse(structuredClone(document));
    return diagnostics.filter(({ severity }) => severity <= 1).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

async function checkDocument() {
    for (const fault of await faultsOf(contract)) {
        report("asyncapi.json", fault);
    }
    const faults = {
        "components.schemas.Seq.minimum": ({ components }) => {
            components.schemas.Seq.minimum = "none";
        },
        "operations.leave.messages.0": ({ operations }) => {
            operations.leave.messages[0].$ref = "#/channels/socket/messages/GoRequest";
        },
    };
    for (const [place, spoil] of Object.entries(faults)) {
        const spoilt = structuredClone(contract);
        spoil(spoilt);
        if (!(await faultsOf(spoilt)).some((fault) => fault.startsWith(place))) {
            report("asyncapi.json", `a fault in ${place} was not found`);
        }
    }
}

/** Checks the examples against the document's own schemas. The parser doesn't do that. */
function checkExamples() {
    const ajv = new Ajv7({ strict: false }).addSchema(contract, "asyncapi.json");
    for (const [name, { examples }] of messages) {
        for (const part of ["payload", "headers"].filter((part) => contract.components.messages[name][part] !== undefined)) {
            const validate = ajv.compile({ $ref: `asyncapi.json#/components/messages/${name}/${part}` });
            for (const [number, example] of examples.entries()) {
                if (!validate(example[part])) {
                    report(`asyncapi.json, example ${number} of ${name}`, ajv.errorsText(validate.errors));
                }
            }
            if (validate({})) {
                report(`asyncapi.json, ${part} of ${name}`, "accepts an object without fields");
            }
        }
    }
}

/** The schema files of a message's payload and of its headers. */
function filesOf(name) {
    if (name === "DeadLetter") {
        return [undefined, "dead-letter-attributes"];
    }
    if (name.endsWith("Request")) {
        return ["client-frame"];
    }
    return name.endsWith("Frame") ? ["server-frame"] : ["queue-message", "queue-attributes"];
}

/** The required fields of a schema, and of the schema that it refers to. */
function requiredOf(schema, definitions) {
    const referred = schema.$ref === undefined ? [] : requiredOf(definitions[schema.$ref.split("/").at(-1)], definitions);
    return [...(schema.required ?? []), ...referred];
}

function checkSchemas() {
    // Limits that are annotations only.
    const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, strict: true });
    ajv.addVocabulary(["x-max-bytes", "x-max-nesting"]);
    const schemas = new Map();
    const schemaOf = (name) => {
        if (!schemas.has(name)) {
            const schema = read(`schemas/${name}.json`);
            schemas.set(name, { schema, validate: ajv.compile(schema) });
        }
        return schemas.get(name);
    };
    const check = (file, definition, value, where) => {
        const { schema, validate } = schemaOf(file);
        if (!validate(value)) {
            report(where, `does not match ${file}.json: ${ajv.errorsText(validate.errors)}`);
        }
        const described = schema.$defs[definition] ?? schema;
        for (const field of requiredOf(described, schema.$defs)) {
            const { [field]: _, ...without } = value;
            // Only a body may be an object.
            for (const spoilt of field === "body" ? [without] : [without, { ...value, [field]: {} }]) {
                if (validate(spoilt)) {
                    report(where, `${file}.json accepts ${JSON.stringify(spoilt)}`);
                }
            }
        }
    };
    for (const [name, { examples }] of messages) {
        const [payloadFile, headersFile] = filesOf(name);
        for (const [number, { payload, headers }] of examples.entries()) {
            const where = `example ${number} of ${name}`;
            if (payloadFile !== undefined) {
                check(payloadFile, name, payload, where);
            }
            if (headersFile !== undefined) {
                check(headersFile, undefined, headers, `${where}, headers`);
            }
        }
    }
}

await checkDocument();
checkExamples();
checkSchemas();
const count = messages.reduce((sum, [, { examples }]) => sum + examples.length, 0);
console.error(`${messages.length} messages, ${count} examples: ${problems} problems`);
process.exitCode = problems === 0 ? 0 : 1;

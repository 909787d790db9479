// Checks the Pulumi program with what only npm has: the provider's own types, Pulumi's mocks, and a validator of state machines.
//
// Usage: node check.mjs FOLDER [--write]
//
// FOLDER is what `hubbub-infra-checks` has written. With `--write`, schema.json is written instead of compared.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { resolve } from "./mocks.mjs";
import { problemsOf } from "./resolved.mjs";
import { extract, parse } from "./schema.mjs";

const require = createRequire(import.meta.url);
const [folder, write] = process.argv.slice(2);
if (folder === undefined || (write !== undefined && write !== "--write")) {
    console.error("usage: node check.mjs FOLDER [--write]");
    process.exit(2);
}

const read = (file) => JSON.parse(readFileSync(path.join(folder, file), "utf8"));
const { variants, faultsOfTypes, faultsOfMocks } = read("contents.json");

const options = {
    strict: true,
    skipLibCheck: true,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2022.d.ts"],
    typeRoots: [fileURLToPath(new URL("node_modules/@types", import.meta.url))],
    types: ["node"],
};

let problems = 0;
function report(where, problem) {
    console.error(`${where}: ${problem}`);
    problems += 1;
}

function checkSchema() {
    const programs = variants.map((name) => read(`${name}.json`));
    const types = programs.flatMap(({ resources }) => Object.values(resources).map(({ type }) => type));
    const calls = programs.flatMap(({ variables }) => Object.values(variables).map((it) => it["fn::invoke"].function));
    const text = `${JSON.stringify(extract([...new Set(types)], [...new Set(calls)]), null, 2)}\n`;
    const file = new URL("schema.json", import.meta.url);
    if (write) {
        writeFileSync(file, text);
    } else if (readFileSync(file, "utf8") !== text) {
        report("schema.json", "is not what the provider declares; `node check.mjs FOLDER --write` writes it anew");
    }
}

/** Compiles all variants, and the faults that the types have to find, at once, so that the provider's types are read once. */
function compile() {
    const source = (name) => path.resolve(folder, `${name}.ts`);
    const files = [...variants.map(source), ...faultsOfTypes.map((name) => source(`faults/${name}`))];
    const host = ts.createCompilerHost(options);
    host.getSourceFile = (file) => (ts.sys.fileExists(file) ? parse(file) : undefined);
    const program = ts.createProgram(files, options, host);
    for (const problem of program.getOptionsDiagnostics()) {
        report("the compiler", ts.flattenDiagnosticMessageText(problem.messageText, " "));
    }
    for (const name of variants) {
        const file = program.getSourceFile(source(name));
        for (const problem of [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]) {
            const { line } = file.getLineAndCharacterOfPosition(problem.start);
            report(`${name}.ts:${line + 1}`, ts.flattenDiagnosticMessageText(problem.messageText, " "));
        }
        program.emit(file);
    }
    for (const name of faultsOfTypes) {
        const file = program.getSourceFile(source(`faults/${name}`));
        if (program.getSyntacticDiagnostics(file).length > 0) {
            report(name, "isn't TypeScript");
        } else if (program.getSemanticDiagnostics(file).length === 0) {
            report(name, "the fault passes the compiler");
        }
    }
}

/** Runs each variant's program and looks at what the provider would be given; and those with faults that have to show there. */
async function run() {
    const validateStateMachine = require("asl-validator");
    const problemsIn = (resources) => problemsOf(resources, validateStateMachine);
    for (const name of variants) {
        const resources = await resolve(path.resolve(folder, `${name}.js`));
        const declared = Object.keys(read(`${name}.json`).resources).length;
        if (resources.length !== declared) {
            report(name, `${resources.length} of ${declared} resources were made`);
        }
        for (const problem of problemsIn(resources)) {
            report(name, problem);
        }
    }
    for (const name of faultsOfMocks) {
        const file = path.resolve(folder, `faults/${name}`);
        const { outputText } = ts.transpileModule(readFileSync(`${file}.ts`, "utf8"), { compilerOptions: options });
        writeFileSync(`${file}.js`, outputText);
        if (problemsIn(await resolve(`${file}.js`)).length === 0) {
            report(name, "the fault passes the mocks");
        }
    }
}

async function timed(what, step) {
    const began = performance.now();
    await step();
    console.error(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

await timed("schema", checkSchema);
await timed("types", compile);
if (problems === 0) {
    await timed("mocks", run);
}
process.exit(problems === 0 ? 0 : 1);

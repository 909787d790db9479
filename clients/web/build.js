#!/usr/bin/env node
/**
 * Writes sdk/hubbub.js, the one file that is published: the modules of src/ one behind the other, each behind those that it uses, without
 * their imports, exports and comments. `--check` writes nothing, and fails if the file isn't what would be written.
 */

import { readFileSync, writeFileSync } from "node:fs";
import ts from "typescript";

const MODULES = ["errors", "settings", "events", "log", "presence", "time", "wire", "dialer", "link", "outbox", "session", "hubbub"];
const HEAD = "// Hubbub's client for browsers and Node. build.js has written it from src/, where the reasons are: change it there.\n";
const PUBLIC = "export { connect, HubbubError };\n";
const OUTPUT = new URL("sdk/hubbub.js", import.meta.url);

/** @param {string} name */
function body(name) {
  const text = readFileSync(new URL(`src/${name}.js`, import.meta.url), "utf8");
  return text.replace(/^(import|export \{) .*\n/gm, "").replace(/^export /gm, "");
}

const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: true };
const { outputText } = ts.transpileModule([...MODULES.map(body), PUBLIC].join("\n"), { compilerOptions: options });
const text = HEAD + outputText;

if (!process.argv.includes("--check")) writeFileSync(OUTPUT, text);
else if (readFileSync(OUTPUT, "utf8") !== text) {
  console.error("`sdk/hubbub.js` is not what build.js writes: run `npm run build`");
  process.exitCode = 1;
}

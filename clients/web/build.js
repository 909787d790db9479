#!/usr/bin/env node
/**
 * Writes sdk/hubbub.js, the one file that is published: the modules of src/ as one, readable, without comments. `--check` writes nothing, and
 * fails if the file is not what would be written.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rollup } from "rollup";
import ts from "typescript";

const INPUT = fileURLToPath(new URL("src/hubbub.js", import.meta.url));
const OUTPUT = fileURLToPath(new URL("sdk/hubbub.js", import.meta.url));
const BANNER = "// Hubbub's client for browsers and Node. Generated from src/ by build.js: make changes there.\n";

const withoutComments = {
  name: "without-comments",
  renderChunk: (/** @type {string} */ code) => {
    const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: true };
    return { code: ts.transpileModule(code, { compilerOptions }).outputText, map: null };
  },
};

const bundle = await rollup({ input: INPUT, plugins: [withoutComments] });
const { output } = await bundle.generate({ format: "es" });
const text = BANNER + output[0].code;

if (!process.argv.includes("--check")) writeFileSync(OUTPUT, text);
else if (readFileSync(OUTPUT, "utf8") !== text) {
  console.error("`sdk/hubbub.js` is not what build.js writes: run `npm run build`");
  process.exitCode = 1;
}

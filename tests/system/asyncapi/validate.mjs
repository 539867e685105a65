// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Checks an AsyncAPI document with the AsyncAPI initiative's own parser, and its payload schemas and examples with
// Ajv (JSON Schema 2020-12), so that our Python validator does not judge alone.
// Usage: node validate.mjs INSTALLED_DIR DOCUMENT; prints one line per finding, exits 1 if one is an error.
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import path from "node:path";

const [installed, document] = process.argv.slice(2);
const require = createRequire(path.resolve(installed, "package.json"));
const { Parser } = require("@asyncapi/parser");
const Ajv2020 = require("ajv/dist/2020").default;

// The parser leaves its mark in the schemas that it hands out.
const ajv = () =>
  new Ajv2020({ allErrors: true, strict: true, strictTypes: false, strictRequired: false, strictTuples: false })
    .addKeyword({ keyword: "x-parser-schema-id" });

// The parser knows draft 07 by itself; this tells it our dialect.
const dialect = {
  getMimeTypes: () => ["application/schema+json;version=2020-12"],
  parse: async (input) => input.data,
  validate: async (input) => {
    try {
      ajv().compile(input.data);
      return [];
    } catch (error) {
      return [{ message: error.message, path: input.path }];
    }
  },
};

const parser = new Parser();
parser.registerSchemaParser(dialect);
const text = await readFile(document, "utf8");
const { document: parsed, diagnostics } = await parser.parse(text, { source: path.resolve(document) });

let errors = 0;
for (const d of diagnostics) {
  const words = ["error", "warning", "information", "hint"];
  console.log(`${words[d.severity]} ${d.code} ${d.path.join("/")}: ${d.message}`);
  errors += d.severity === 0;
}

let examples = 0;
for (const message of parsed ? parsed.components().messages().all() : []) {
  let check;
  try {
    check = ajv().compile(message.json("payload").schema);
  } catch (error) {
    errors++;
    console.log(`error schema of ${message.id()}: ${error.message}`);
    continue;
  }
  for (const example of message.examples().all()) {
    examples++;
    if (!check(example.payload())) {
      errors++;
      console.log(`error example ${message.id()}/${example.name()}: ${ajv().errorsText(check.errors)}`);
    }
  }
}
if (!parsed) errors++;
const count = parsed ? `${parsed.channels().length} channels, ${parsed.operations().length} operations` : "not parsed";
console.log(`${count}, ${examples} examples, ${errors} errors`);
process.exit(errors ? 1 : 0);

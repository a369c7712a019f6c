// Parses proto/asyncapi.yaml with the reference parser (`make contracts` installs it under build/) and prints what it refuses.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, file] = process.argv.slice(2);
const { Parser } = createRequire(`${folder}/`)("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"), { source: file });
const errors = diagnostics.filter((each) => each.severity === 0);
for (const each of errors) console.error(`${file}:${each.range.start.line + 1} ${each.message} (${each.path.join("/")})`);
if (document === undefined || errors.length > 0) process.exit(1);
console.log(`asyncapi.yaml: ${document.channels().all().length} channels, ${document.messages().all().length} messages`);

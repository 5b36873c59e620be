// Type-checks the Flux texts named as arguments with libflux (npm: @influxdata/flux-lsp-browser), without a server.
// Usage: node check.mjs FOLDER_OF_THE_PACKAGE FILE...; prints "ok FILE" or "bad FILE: diagnostics", exits 1 on bad.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
// The package is made for bundlers: it says neither that it is a module nor how to load its WebAssembly in Node.
const glue = join(folder, "glue.mjs");
const source = readFileSync(join(folder, "flux-lsp-browser_bg.js"), "utf8");
writeFileSync(glue, source.replace(/^import \* as wasm from .*$/m, "const wasm = globalThis.fluxWasm;"));
const compiled = await WebAssembly.compile(readFileSync(join(folder, "flux-lsp-browser_bg.wasm")));
let flux;
const imports = {};
for (const { module, name } of WebAssembly.Module.imports(compiled)) {
  (imports[module] ??= {})[name] = (...given) => flux[name](...given);
}
globalThis.fluxWasm = (await WebAssembly.instantiate(compiled, imports)).exports;
flux = await import(pathToFileURL(glue).href);

const server = new flux.Lsp();
const waiting = new Map();
server.onMessage((message) => {
  const { method, params } = JSON.parse(message);
  if (method === "textDocument/publishDiagnostics") waiting.get(params.uri)?.(params.diagnostics);
});
server.run();
const send = (message) => server.send(JSON.stringify({ jsonrpc: "2.0", ...message }));
await send({ id: 1, method: "initialize", params: { capabilities: {}, processId: null, rootUri: null } });
await send({ method: "initialized", params: {} });

let isBad = false;
for (const [index, file] of files.entries()) {
  const uri = `file:///text${index}.flux`;
  const found = new Promise((resolve) => waiting.set(uri, resolve));
  const text = readFileSync(file, "utf8");
  await send({
    method: "textDocument/didOpen",
    params: { textDocument: { uri, languageId: "flux", version: 1, text } },
  });
  const diagnostics = await Promise.race([found, new Promise((done) => setTimeout(() => done(null), 5000))]);
  // All open texts are one package to the server, and would redeclare each other's options.
  await send({ method: "textDocument/didClose", params: { textDocument: { uri } } });
  if (diagnostics === null) {
    isBad = true;
    console.log(`bad ${file}: no answer`);
  } else if (diagnostics.length) {
    isBad = true;
    const told = diagnostics.map((d) => `${d.range.start.line + 1}:${d.range.start.character + 1} ${d.message}`);
    console.log(`bad ${file}: ${told.join("; ")}`);
  } else {
    console.log(`ok ${file}`);
  }
}
process.exit(isBad ? 1 : 0);

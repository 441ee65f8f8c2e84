// ask.mjs - asks build/wasm/playground.wasm under node, with the worker's own files.js as its
// system: node ask.mjs MODULE FILES VERB TEXT VERB TEXT... Prints each answer on a line. Files of
// the working folder are there, and those that it writes are left there. Beside the verbs of the
// playground there is "pages", which prints the memory's size in pages of 64 KiB, and "fill",
// which takes all memory that is left.
import {existsSync, readFileSync, writeFileSync, readdirSync} from 'node:fs';
import {webcrypto} from 'node:crypto';

globalThis.crypto ??= webcrypto;
const [program, system, ...questions] = process.argv.slice(2);
const {files, makeWasi} = new Function(`${readFileSync(system)}; return {files, makeWasi};`)();
for (const name of readdirSync('.', {withFileTypes: true}).filter(entry => entry.isFile()).map(entry => entry.name)) {
  const bytes = new Uint8Array(readFileSync(name));
  files.set(name, {bytes, size: bytes.length});
}

let module;
const wasi = makeWasi(() => module.memory);
const {instance} = await WebAssembly.instantiate(readFileSync(program), {wasi_snapshot_preview1: wasi});
module = instance.exports;
module._initialize();

const memory = {
  pages: () => module.memory.buffer.byteLength / 65536,
  fill: () => {
    let pages = 0;
    for (let step = 4096; step; step >>= 1) {
      try {
        for (;;) pages += module.memory.grow(step) >= 0 ? step : 0;
      } catch { /* the most is reached */ }
    }
    return pages;
  },
};
const ask = (verb, text) => {
  if (memory[verb]) return memory[verb]();
  const request = new TextEncoder().encode(`${verb}\0${text}\0`), room = module.playground_room(request.length);
  if (!room) return 'no room';
  new Uint8Array(module.memory.buffer, room, request.length).set(request);
  const status = module.playground_call(), all = new Uint8Array(module.memory.buffer), at = module.playground_reply();
  return `${status} ${new TextDecoder().decode(all.subarray(at, all.indexOf(0, at)))}`;
};
for (let i = 0; i + 1 < questions.length; i += 2) console.log(ask(questions[i], questions[i + 1]));
for (const [name, {bytes, size}] of files) writeFileSync(name, bytes.subarray(0, size));

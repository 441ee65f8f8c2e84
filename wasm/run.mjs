// run.mjs - runs build/tapeformer.wasm under node: node wasm/run.mjs build/tapeformer.wasm ARGUMENT...
// The program sees the whole file system, as the native command does, and relative paths begin in
// this process's folder, which it finds in PWD.
import { readFile } from "node:fs/promises";
import { argv, cwd, env, exit } from "node:process";

process.removeAllListeners("warning"); // (that WASI is experimental in node)
const { WASI } = await import("node:wasi");
const [program, ...args] = argv.slice(2);
const wasi = new WASI({
    version: "preview1",
    args: ["tapeformer", ...args],
    env: { ...env, PWD: cwd() },
    preopens: { "/": "/" },
    returnOnExit: true,
});
const module = await WebAssembly.compile(await readFile(program));
exit(wasi.start(await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.wasiImport })));

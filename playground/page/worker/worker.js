// worker.js - the thread that trains: it owns the module and asks it. The page sends
//
//     {ask: [verb, text], id}      -> {id, status, answer}
//     {run: true, pause, until}    train in slices, with `pause` milliseconds after each step; up to
//                                  the step `until`, if it is given
//     {run: false}                 stop after the slice
//     {watch: {name: [verb, text]}, draw: true}     what to draw, now and while it trains
//                                                   -> {views: {name: {status, answer}}}
//     {read: path, id}, {write: path, bytes, id}    a file of the module's
//
// and gets, while it trains, {step, found, views, running} after each slice.
const SLICE = 50; // milliseconds of training between two pictures
let module, running = false, pause = 0, until = Infinity, watched = {};

const ask = (verb, text = '') => {
  if (!module) return {status: -1, answer: 'The model is not there yet: wait a moment.'};
  const request = new TextEncoder().encode(`${verb}\0${text}\0`);
  const room = module.playground_room(request.length);
  if (!room) return {status: -1, answer: 'There is no memory left for this: take a smaller model.'};
  new Uint8Array(module.memory.buffer, room, request.length).set(request);
  const status = module.playground_call(), memory = new Uint8Array(module.memory.buffer);
  const at = module.playground_reply();
  return {status, answer: new TextDecoder().decode(memory.subarray(at, memory.indexOf(0, at)))};
};

const draw = () => {
  const views = {};
  for (const [name, [verb, text]] of Object.entries(watched)) views[name] = ask(verb, text);
  return views;
};

const channel = new MessageChannel();
let coming = false; // the next slice: who pauses and runs on before it comes has no second one
const slice = () => {
  coming = false;
  if (!running) return;
  const begun = performance.now();
  let step, found = null;
  do {
    step = ask('step', '1');
    const taken = step.status ? {step: until} : JSON.parse(step.answer);
    if (taken.evaluate) found = ask('evaluate');
    if (taken.step >= until || (taken.last && until === Infinity)) running = false;
  } while (running && !pause && performance.now() - begun < SLICE);
  postMessage({step, found, views: draw(), running});
  coming = running;
  if (!running) return;
  if (pause) setTimeout(slice, pause);
  else channel.port2.postMessage(null); // (a timer would wait 4 ms)
};
channel.port1.onmessage = slice;

const begin = async packed => {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const bytes = await new Response(stream).arrayBuffer();
  const wasi = makeWasi(() => module.memory);
  const {instance} = await WebAssembly.instantiate(bytes, {wasi_snapshot_preview1: wasi});
  module = instance.exports;
  module._initialize();
  postMessage({ready: true});
};

onmessage = ({data}) => {
  if (data.module) begin(data.module).catch(error => postMessage({broken: String(error)}));
  if (data.watch) watched = data.watch;
  if (data.ask) postMessage({id: data.id, ...ask(...data.ask)});
  if (data.draw && module) postMessage({views: draw()});
  if (data.run !== undefined) {
    const starts = data.run && !running;
    running = data.run;
    pause = data.pause || 0;
    if (starts) {
      until = data.until || Infinity;
      if (!coming) slice();
    }
  }
  if (data.write) files.set(data.write, {bytes: data.bytes, size: data.bytes.length});
  if (data.write) postMessage({id: data.id, status: 0});
  if (data.read) {
    const file = files.get(data.read);
    postMessage({id: data.id, status: file ? 0 : -1, bytes: file && file.bytes.slice(0, file.size)});
  }
};

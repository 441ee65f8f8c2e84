// page.js - the page's side: the form, the buttons, and what the worker sends. The module is the
// worker's alone; nothing here computes or draws what it can.
//
// The other scripts of this folder follow this one in the page, in the order of their names. Each
// has a section of the page, and takes part by `parts`:
//
//     parts.push({
//       write: () => ['target=leak'],         // what it adds to the setting
//       read: values => {},                   // takes its values from a setting: a Map of texts
//       begun: found => {},                   // a new run has begun: the answer of "begin"
//       rested: () => {},                     // training has paused
//       changed: () => {},                    // masks or faults are others
//     });
'use strict';
const $ = selector => document.querySelector(selector);
const form = $('#setting');
const parts = [];

// ---- The worker ------------------------------------------------------------------------------

const worker = new Worker(URL.createObjectURL(new Blob([$('#worker').textContent], {type: 'text/javascript'})));
const waiting = new Map(); // id -> resolve
let running = false, lastId = 0;

const send = message => new Promise(resolve => {
  waiting.set(++lastId, resolve);
  worker.postMessage({...message, id: lastId});
});
// Asks the module; an answer in JSON comes as an object. A refusal is shown, and comes as null.
const ask = async (verb, text = '') => {
  const {status, answer} = await send({ask: [verb, text]});
  if (status) showProblem(answer);
  return status ? null : answer.startsWith('{') ? JSON.parse(answer) : answer;
};

const showProblem = sentence => {
  $('#problem').hidden = !sentence;
  $('#problem').textContent = sentence || '';
};

// A new picture in place of another: numbers that were unfolded stay so, what was scrolled stays where
// it was, and the keyboard's focus stays on its element.
const replace = (place, html) => {
  const held = () => [...place.querySelectorAll('details, summary, .picture, .scroll')];
  const before = held().map(({open, scrollLeft}) => ({open, scrollLeft})), focus = held().indexOf(document.activeElement);
  place.innerHTML = html;
  for (const [i, element] of held().entries()) {
    if (before[i]?.open) element.open = true;
    if (before[i]?.scrollLeft) element.scrollLeft = before[i].scrollLeft;
    if (i === focus) element.focus({preventScroll: true});
  }
};

const showViews = views => {
  for (const [name, {status, answer}] of Object.entries(views)) {
    const place = $(`[data-view="${name}"]`);
    if (status) place.textContent = answer;
    else if (answer !== place.answer) replace(place, answer);
    place.answer = status ? null : answer;
  }
};

let numbers = {};
const showNumbers = found => {
  numbers = {...numbers, ...found};
  const percent = numbers.exact === undefined ? '' : `, ${(100 * numbers.exact).toFixed(0)} % exact on unseen examples`;
  $('#numbers').textContent = `Step ${numbers.step || 0}` +
    (numbers.loss === undefined ? '' : `, training loss ${numbers.loss.toFixed(4)}`) + percent +
    (numbers.last ? '. That was the last step; Run goes on' : '');
};

const showSlice = ({step, found, views}) => {
  if (step.status) showProblem(step.answer);
  else showNumbers(JSON.parse(step.answer));
  if (found?.status) showProblem(found.answer);
  else if (found) showNumbers({exact: JSON.parse(found.answer).exact});
  showViews(views);
};

const setRunning = on => {
  running = on;
  $('#run').textContent = on ? 'Pause' : 'Run';
  $('#numbers').ariaLive = on ? 'off' : 'polite'; // (they change many times a second)
};

const rest = () => {
  for (const part of parts) part.rested?.();
};

worker.onmessage = ({data}) => {
  if (data.broken) showProblem(`This browser cannot run the playground: ${data.broken}`);
  if (data.ready) beginAddress();
  if (data.id) {
    waiting.get(data.id)(data);
    waiting.delete(data.id);
  } else if (data.step) {
    showSlice(data);
    if (!data.running) {
      setRunning(false);
      rest();
    }
  } else if (data.views) showViews(data.views);
};
worker.onerror = ({message}) => showProblem(`The model's thread has stopped, and the page must be loaded again: ${message}`);
worker.postMessage({module: Uint8Array.from(atob($('#module').textContent), c => c.charCodeAt(0))});

// ---- The setting, in the form and in the address ---------------------------------------------

const writeSetting = () => {
  const values = [];
  for (const {name, value, labels} of form.elements) {
    if (!name || value === '' || (form.elements.task.value && labels[0]?.matches('.own'))) continue;
    if (name === 'norm-place') values.push(...(value === 'post' ? ['post-norm'] : []));
    else values.push(`${name}=${encodeURIComponent(value.toWellFormed?.() ?? value)}`);
  }
  return [...values, ...writeParts()].join('&');
};
const writeParts = () => parts.flatMap(part => part.write ? part.write() : []);

// The fields that go with own lines alone, and those that go with a task.
const showOwn = on => {
  for (const label of form.querySelectorAll('.own, .made')) label.hidden = on !== label.matches('.own');
};

// Fills the form, and what the other scripts have, from a setting that the module has written out.
const readSetting = text => {
  const values = new Map(text.split('&').map(part => {
    const [name, value = ''] = part.split('=');
    return [name, decodeURIComponent(value)];
  }));
  for (const element of form.elements)
    if (element.name && element.name !== 'lines') element.value = values.get(element.name) ?? '';
  form.elements['norm-place'].value = values.has('post-norm') ? 'post' : 'pre';
  showOwn(!values.has('task'));
  for (const part of parts) part.read?.(values);
};

// ---- Views: places whose content the module draws, again and again while it trains -----------

// A place is <div class="view" data-view="NAME" data-ask="VERB" data-text="TEXT">, and is drawn
// while it is in sight. Call `watch` after the verb or the text of one has changed.
const inSight = new Set();
const watch = () => {
  const asked = [...inSight].map(place => [place.dataset.view, [place.dataset.ask, place.dataset.text || '']]);
  worker.postMessage({watch: Object.fromEntries(asked), draw: true});
};
const observer = new IntersectionObserver(entries => {
  for (const {target, isIntersecting} of entries) inSight[isIntersecting ? 'add' : 'delete'](target);
  watch();
});
for (const place of document.querySelectorAll('.view')) observer.observe(place);

// ---- Begin -----------------------------------------------------------------------------------

let address = ''; // the setting of the run
let rewind;       // begins the run again
let loaded = '';  // the file that the run's model came from

const keepAddress = setting => {
  address = setting;
  history.replaceState(null, '', `#${setting}`);
};

const goesOn = sentence => showProblem(`${sentence}; the run goes on with the setting before`);

// A new run, by "begin" or "load". One that is refused changes nothing: its answer is null.
const startRun = async (verb, text) => {
  const went = running;
  worker.postMessage({run: false});
  setRunning(false);
  const found = await ask(verb, text);
  if (!found) {
    history.replaceState(null, '', `#${address}`);
    if (!$('#run').disabled) goesOn($('#problem').textContent);
    if (went && !running) toggleRun();
    return null;
  }
  for (const button of document.querySelectorAll('#bar button')) button.disabled = false;
  showProblem('');
  for (const field of form.elements) field.removeAttribute('aria-invalid');
  readSetting(found.setting);
  keepAddress(verb === 'begin' ? text : writeSetting());
  loaded = verb === 'load' ? text.split('\n')[0] : '';
  numbers = {};
  showNumbers({step: 0});
  rewind = beginForm;
  for (const part of parts) part.begun?.(found);
  watch();
  return found;
};
const begin = setting => startRun('begin', setting);

// What the form says. For own lines it waits until there are some.
const beginForm = () => {
  const {task, lines} = form.elements;
  showOwn(!task.value);
  if (task.value || lines.value.trim()) return begin(writeSetting());
  goesOn('Own lines: type or paste at least one, a source, a TAB and its target');
  return null;
};

// What the address says, or, if that is refused, the usual: the sentence that says why stays.
const beginAddress = async () => {
  const setting = location.hash.slice(1), lines = setting.split('&').findLast(part => part.startsWith('lines='));
  if (await begin(setting)) {
    if (lines) form.elements.lines.value = decodeURIComponent(lines.slice('lines='.length));
  } else if ($('#run').disabled) {
    const sentence = $('#problem').textContent;
    await begin('');
    showProblem(sentence);
  }
};

const evaluate = async () => showNumbers({exact: (await ask('evaluate'))?.exact});

// Masks and faults may change while the run goes on. Where it stands still, what the model can do
// under them is shown at once.
const change = async () => {
  // What the form has refused is no part of the run: there the address says what is.
  const refused = form.querySelector('[aria-invalid]');
  const own = address.split('&').filter(part => part && !/^((eval-)?(source|target|cross)|fault|lesson)=/.test(part));
  const setting = refused ? [...own, ...writeParts()].join('&') : writeSetting();
  const found = await ask('change', setting);
  if (!found) return;
  if (!refused) showProblem('');
  keepAddress(setting);
  for (const part of parts) part.changed?.();
  if (!running && numbers.step) await evaluate();
  watch();
};

// ---- The buttons -----------------------------------------------------------------------------

const toggleRun = until => {
  setRunning(!running);
  worker.postMessage({run: running, pause: Number($('#speed').value), until});
  if (!running) rest();
};
$('#run').addEventListener('click', () => toggleRun());
$('#step').addEventListener('click', async () => {
  worker.postMessage({run: false});
  setRunning(false);
  const found = await ask('step', '1');
  if (found) showNumbers(found);
  if (found?.evaluate) await evaluate();
  worker.postMessage({draw: true});
  rest();
});
$('#rewind').addEventListener('click', () => rewind());
$('#speed').addEventListener('change', () => worker.postMessage({run: running, pause: Number($('#speed').value)}));
form.addEventListener('change', async ({target}) => {
  const {task, 'task-min': shortest, 'task-max': longest} = form.elements;
  if (target === task) shortest.value = longest.value = ''; // those of another task: the module knows what suits
  if (!await beginForm()) target.setAttribute('aria-invalid', 'true');
});
form.addEventListener('submit', event => event.preventDefault());
addEventListener('hashchange', beginAddress);

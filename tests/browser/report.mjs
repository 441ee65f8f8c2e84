// report.mjs - reports in a real browser: node report.mjs SAMPLE [REPORT...]
//
// SAMPLE is the report of tests/util/sample_document.c, which this test knows part by part; of the others it is seen that
// they open, show something, and ask for nothing.
import {existsSync} from 'node:fs';
import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';
import {check, run, same} from './checks.mjs';
import {Browser, findChromium} from './chromium.mjs';
import {colours, decodePng} from './png.mjs';

const MAPS = 9, FIGURES = 16; // of the sample: in its first choice, and in all
const HOSTILE = '</td></script><img src=x onerror=alert(1)>"\'&amp;';
const PATIENCE = 180000; // milliseconds until a browser that answers nothing is given up

// SAMPLE_WEIGHT of tests/util/sample_document.h
const weight = (head, query, key) => ((head + 1) * (query * 10 + key + 1)) / 256;

// ---- Visible parts -----------------------------------------------------------------------------

// The numbers of the elements that take room on the page.
const seen = (page, selector) => page.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})]
  .map((element, i) => [i, element.getBoundingClientRect()])
  .filter(([, box]) => box.width > 1 && box.height > 1).map(([i]) => i)`);
const seenMaps = page => seen(page, '.choice:nth-of-type(1) figure svg[role=img]');
const readout = page => page.evaluate(`document.querySelector('.readout').textContent`);
const hasFocus = (page, selector) => page.evaluate(`document.activeElement.matches(${JSON.stringify(selector)})`);
const radio = index => `.choice input[name="map-0"][value="${index}"]`;

// Of the map that is seen, because those of other groups fit the same selector.
async function pointAtCell(page, row, column) {
  const selector = `.choice figure .cell[data-row="${row}"][data-column="${column}"]`;
  await page.evaluate(`document.querySelectorAll('.aim').forEach(element => element.classList.remove('aim'))`);
  await page.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})]
    .find(element => element.getBoundingClientRect().width > 0).classList.add('aim')`);
  await page.point('.aim');
}

function checkReadout(text, expected, place) {
  const number = parseFloat(text);
  check(Math.abs(number - expected) < 1e-6 && text.endsWith(' ' + place), 'the readout', [text], 'expected',
    expected, place);
}

// ---- Parts of the test --------------------------------------------------------------------------

async function opens(page, url) {
  await page.show();
  await page.open(url);
  same(page.requests, [url], 'nothing is requested except the file');
  same(page.complaints, [], 'no error, no exception');
  check((await page.evaluate('document.title')).length > 0, 'the page has a title');
}

async function showsSomething(page) {
  for (const dark of [false, true]) {
    await page.show({dark});
    const {count, ground, share} = colours(decodePng(await page.screenshot()));
    const light = (ground[0] + ground[1] + ground[2]) / 765;
    check(dark ? light < 0.25 : light > 0.9, `the ground of ${dark ? 'dark' : 'light'} pages`, ground);
    check(count > 40, 'a screenshot has colours', count);
    check(share < 0.97, 'a screenshot is not blank', share);
  }
  await page.show();
}

// Which map is large; by mouse, by the keys of radio buttons, and by [ and ].
async function switches(page) {
  same(await seenMaps(page), [0], 'one map is seen first');
  await page.click(radio(1));
  same(await seenMaps(page), [1], 'a click shows another head');
  await page.press('ArrowRight');
  same(await seenMaps(page), [2], 'an arrow key goes to the next head');
  check(await hasFocus(page, 'fieldset input:checked'), 'the button of the head has the focus');
  await page.press(']');
  same(await seenMaps(page), [3], '] goes to the next group');
  check(await hasFocus(page, 'fieldset input:checked'), 'and the focus stays in the heads');
  await page.press('[');
  await page.press('[');
  same(await seenMaps(page), [1], '[ goes back');
  await page.click(radio(7));
  same(await seenMaps(page), [7], 'a click shows a head of another group');
  same(await page.evaluate(`document.querySelector('.choice .group:not([hidden]) .name').textContent`),
    'decoder.layers.0.multihead_attn', 'under the name of its group');
  await page.evaluate(`document.activeElement.blur()`);
  await page.press('[');
  same(await seenMaps(page), [6], 'the keys go on without any focus');
  for (let i = 0; i < MAPS; i++)
    await page.press(']');
  same(await seenMaps(page), [MAPS - 1], 'the last map is the end');
  for (let i = 0; i < MAPS; i++)
    await page.press('[');
  same(await seenMaps(page), [0], 'the first map is the start');
  check((await readout(page)).includes('encoder.layers.0.self_attn, head 0'), 'the line names what is shown');
}

async function answersTheMouse(page) {
  const idle = await readout(page);
  await pointAtCell(page, 2, 1);
  checkReadout(await readout(page), weight(0, 2, 1), 'query 2 p → key 1 a');
  const [row, column, texts] = await page.evaluate(`(() => {
    const svg = document.querySelector('.aim').ownerSVGElement, box = element => element.getBoundingClientRect();
    const [row, column] = svg.querySelectorAll('.band'), picture = svg.parentElement;
    const inside = (band, name) => [...svg.querySelectorAll('.cell')].filter(cell => cell.dataset[name] &&
      box(cell).x >= box(band).x - 1 && box(cell).right <= box(band).right + 1 && box(cell).y >= box(band).y - 1 &&
      box(cell).bottom <= box(band).bottom + 1).map(cell => cell.dataset[name]);
    return [inside(row, 'row'), inside(column, 'column'), [...picture.querySelectorAll('.lit')].map(e => e.textContent)];
  })()`);
  same(row, ['2', '2', '2', '2', '2'], 'the row is framed');
  same(column, ['1', '1', '1', '1', '1'], 'the column is framed');
  same(texts, ['p', 'a'], 'the labels of both are marked');
  await pointAtCell(page, 3, 4);
  same(await readout(page), 'padding query 3 e → key 4 <eos>', 'padding is called so');
  await page.point('h1');
  same([await readout(page), await page.evaluate(`document.querySelectorAll('.band, .lit').length`)], [idle, 0],
    'all is as before when the mouse has left');
  await page.evaluate(`document.activeElement.blur()`);
  for (let i = 0; i < 4; i++)
    await page.press(']');
  await pointAtCell(page, 3, 0);
  checkReadout(await readout(page), weight(1, 3, 0), `query 3 ${HOSTILE} → key 0 <bos>`);
  await pointAtCell(page, 1, 3);
  same(await readout(page), `masked query 1 e → key 3 ${HOSTILE}`, 'a masked cell is called so');
  await page.point('h1');
}

async function answersTheKeys(page) {
  await page.evaluate(`document.querySelector('.choice fieldset input:checked').focus()`);
  await page.press('Tab', true);
  await page.press('Tab', true);
  check(await hasFocus(page, '.picture:focus-visible'), 'Tab goes back from the heads to the map, and is seen');
  checkReadout(await readout(page), weight(1, 0, 0), 'query 0 <bos> → key 0 <bos>');
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight'])
    await page.press(key);
  checkReadout(await readout(page), weight(1, 2, 1), 'query 2 p → key 1 e');
  await page.press('[');
  checkReadout(await readout(page), weight(0, 2, 1), 'query 2 p → key 1 e');
  check(await hasFocus(page, '.picture'), 'the same cell of the next head has the focus');
  same(await seenMaps(page), [3], 'and its head is seen');
  for (const key of ['PageDown', 'Home', 'ArrowLeft', 'ArrowDown'])
    await page.press(key);
  checkReadout(await readout(page), weight(0, 5, 0), 'query 5 é → key 0 <bos>');
  await page.press('End');
  await page.press('PageUp');
  same(await readout(page), 'masked query 0 <bos> → key 5 é', 'the first row, the last column');
  await page.evaluate(`document.activeElement.blur()`);
  same(await page.evaluate(`document.querySelectorAll('.band').length`), 0, 'no frame without focus');
  await page.point('.heats:not(.choice) .cell.leak[data-row]');
  same(await page.evaluate(`document.querySelectorAll('.readout')[1].textContent`),
    'masked, yet 0.125 row 0 → target 0', 'a leak is called so, and its side');
  await page.point('.heats:not(.choice) figure:nth-of-type(2) .cell.masked[data-row]');
  same(await page.evaluate(`document.querySelectorAll('.readout')[1].textContent`),
    'forbidden row 0 → column 1', 'a kind is called by its name');
  await page.point('.heats:not(.choice) figure:nth-of-type(2) .cell[data-row="2"][data-column="1"]');
  same(await page.evaluate(`document.querySelectorAll('.readout')[1].textContent`),
    'allowed row 2 → column 1', 'and so is another');
  await page.point('.heats:not(.choice) .cell.strange[data-row]');
  same(await page.evaluate(`document.querySelectorAll('.readout')[1].textContent`), 'NaN row 1 → source 0',
    'what is not finite is called so');
}

// Cells that are no elements: the place comes from the picture, in which a cell is 1 x 1.
async function answersOnLargeMaps(page) {
  await page.click('.heats:nth-of-type(3) input[value="1"]');
  const say = async (row, column) => {
    await page.place('.heats:nth-of-type(3) figure:nth-of-type(2) svg[role=img]');
    const {x, y} = await page.evaluate(`(() => {
      const area = document.querySelector('.heats:nth-of-type(3) figure:nth-of-type(2) svg[role=img] g[transform]');
      const {x, y} = new DOMPoint(${column} + 0.5, ${row} + 0.5).matrixTransform(area.getScreenCTM());
      return {x, y};
    })()`);
    await page.send('Input.dispatchMouseEvent', {type: 'mouseMoved', x, y});
    return page.evaluate(`document.querySelectorAll('.readout')[2].textContent`);
  };
  same(await say(40, 93), `${+(4093 % 101 / 101).toPrecision(4)} row 40 → column 93`, 'a cell of a large map');
  same(await say(0, 1), 'masked row 0 → column 1', 'one that is masked');
  same(await say(0, 2), 'padding row 0 → column 2', 'one of padding');
  same(await say(0, 3), `masked, yet ${+(3 / 101).toPrecision(4)} row 0 → column 3`, 'a leak');
}

const ground = page => page.evaluate(`getComputedStyle(document.body).backgroundColor`);

async function changesColours(page) {
  const light = await ground(page);
  await page.click('header button');
  const dark = await ground(page);
  check(light === 'rgb(255, 255, 255)' && dark !== light, 'the button makes it dark', light, dark);
  same(await page.evaluate(`document.querySelector('header button').textContent`), 'Light colours', 'its new name');
  const shot = colours(decodePng(await page.screenshot()));
  check(shot.ground[0] < 64 && shot.count > 40, 'and it looks so', shot);
  await page.show({dark: true});
  same(await ground(page), dark, 'as the system makes it');
  await page.press('Enter');
  same(await ground(page), light, 'and light again, by the keyboard, in a dark system');
  await page.show();
}

async function fits(page) {
  for (const width of [400, 320]) {
    await page.show({width});
    const wide = await page.evaluate(`document.documentElement.scrollWidth`);
    check(wide <= width, `nothing is wider than a window of ${width}`, wide);
  }
  await page.show();
}

// Of what is wider than its box the labels of rows stay in sight.
async function keepsLabels(page) {
  await page.show({width: 390});
  for (const box of ['.picture', '.scroll']) {
    const found = await page.evaluate(`(() => {
      for (const element of document.querySelectorAll('details')) element.open = true;
      const boxes = [...document.querySelectorAll(${JSON.stringify(box)})].filter(each =>
        each.scrollWidth > each.clientWidth + 60 && each.querySelector('.rows, tbody th'));
      return boxes.map(each => {
        each.scrollLeft = 1e6;
        const {x} = each.getBoundingClientRect(), label = each.querySelector('.rows text.label, tbody th');
        return [each.scrollLeft > 50, Math.round(label.getBoundingClientRect().x - x) >= 0,
          label.getBoundingClientRect().x - x < 60];
      });
    })()`);
    check(found.length > 0, `a ${box} is wider than a window of 390`);
    check(found.every(each => each.every(good => good)), `the labels of a ${box} stay in sight`, found);
  }
  await page.show();
}

// The caption of a table is readable without scrolling, and stays in place when one scrolls.
async function keepsCaptions(page) {
  await page.show({width: 390});
  const off = await page.evaluate(`(() => {
    for (const element of document.querySelectorAll('details')) element.open = true;
    return [...document.querySelectorAll('.scroll')].flatMap(box => {
      const caption = box.querySelector('caption:not(.unseen)');
      return caption ? [0, 1e6].map(left => {
        box.scrollLeft = left;
        const inner = caption.getBoundingClientRect(), outer = box.getBoundingClientRect();
        return Math.max(outer.left - inner.left, inner.right - outer.right);
      }) : [];
    });
  })()`);
  check(off.length > 0 && Math.max(...off) < 1, 'captions are in sight in a window of 390', off);
  await page.show();
}

// The picture that is laid over the labels of rows has each of them at the same place, at any size.
async function laysLabels(page) {
  for (const width of [1280, 800, 390]) {
    await page.show({width});
    const off = await page.evaluate(`[...document.querySelectorAll('.picture')].flatMap(picture => {
      picture.scrollLeft = 0;
      const texts = [...picture.querySelectorAll('svg[role=img] text.label.right')];
      return [...picture.querySelectorAll('.rows text.label')].map((text, i) => {
        const a = text.getBoundingClientRect(), b = texts[i].getBoundingClientRect();
        return Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y));
      });
    })`);
    check(off.length > 10 && Math.max(...off) < 1, `labels lie on labels in a window of ${width}`, Math.max(...off));
  }
  await page.show();
}

// Text written from right to left stays on its side.
async function keepsSides(page) {
  const [source, answer, note] = await page.evaluate(`[...document.querySelectorAll('.example > *')].map(each =>
    each.getBoundingClientRect().x)`);
  check(source < answer && answer < note, 'an example keeps its sides', source, answer, note);
}

// All maps are there in little, beside the large one: of a window of 1280 both halves are used.
async function showsAllInLittle(page) {
  await page.show({width: 1280, height: 800});
  same((await seen(page, '.choice:nth-of-type(1) canvas')).length, MAPS, 'all maps in little');
  const [large, little] = await page.evaluate(`['.choice .group:not([hidden]) figure:not([hidden]) svg[role=img]',
    '.choice canvas'].map(selector => document.querySelector(selector).getBoundingClientRect())
    .map(({x, y, right, bottom}) => [x, y, right, bottom])`);
  check(large[2] < little[0] && little[0] > 640 && little[1] < large[3], 'beside the large one', large, little);
  // (A frame later, when the page has noticed what its system wants.)
  const picture = () => page.evaluate(`new Promise(done => requestAnimationFrame(() =>
    requestAnimationFrame(() => done(document.querySelector('.choice canvas').toDataURL()))))`);
  const light = await picture();
  await page.show({width: 1280, height: 800, dark: true});
  check(light !== await picture(), 'in the colours of the page');
  await page.show();
}

// A click on a head sorts: the largest number first, then last, then as it was. Words begin with the first. Cells
// without a number follow those with one.
async function sorts(page) {
  const rows = () => page.evaluate(`[...document.querySelectorAll('.sortable tbody tr')]
    .map(row => row.cells[1].textContent)`);
  const sortBy = column => page.click(`.sortable thead th:nth-child(${column}) button`);
  const state = () => page.evaluate(`[...document.querySelectorAll('.sortable thead th')].map(head => head.ariaSort)`);
  const grouped = ['0.30', '0.25', '50 us', '-', '1.00'];
  same(await rows(), grouped, 'a table has its groups');
  await sortBy(2);
  same([await rows(), await state()], [['1.00', '0.25', '50 us'], [null, 'descending', null]], 'sorted by numbers');
  check((await page.evaluate(`getComputedStyle(document.querySelector('.sortable tbody th'), '::after').content`))
    .includes(' in '), 'rows that are sorted name their group');
  await sortBy(2);
  same([await rows(), await state()], [['50 us', '0.25', '1.00'], [null, 'ascending', null]], 'turned around');
  await sortBy(3);
  same([await rows(), await state()], [['1.00', '0.25', '50 us'], [null, null, 'ascending']], 'sorted by words');
  await sortBy(3);
  await sortBy(3);
  same([await rows(), await state()], [grouped, [null, null, null]], 'and as it was');
}

async function folds(page) {
  const isSeen = () => page.evaluate(`document.querySelector('.folded td').checkVisibility()`);
  same(await isSeen(), false, 'a folded table is not seen');
  await page.click('.folded > summary');
  same(await isSeen(), true, 'until it is opened');
  await page.click('.folded > summary');
  const [picture, words] = await page.evaluate(`['.pictures', '.words'].map(name =>
    document.querySelector('.row > ' + name).getBoundingClientRect()).map(({x, y, right}) => [x, y, right])`);
  check(picture[2] <= words[0] && Math.abs(picture[1] - words[1]) < 5, 'verdicts stand beside their picture');
  same(await page.evaluate(`[...document.querySelectorAll('.verdict > b')].map(each => each.textContent)`),
    ['✓ Came true:', '✗ Did NOT come true:'], 'and say how it went');
}

async function prints(page) {
  for (const theme of ['', 'dark']) {
    await page.evaluate(`document.documentElement.dataset.theme = '${theme}'`);
    await page.show({media: 'print', dark: true});
    same(await ground(page), 'rgb(255, 255, 255)', 'paper is white');
    same(await page.evaluate(`getComputedStyle(document.querySelector('.study-picture .title')).fill`),
      'rgb(31, 35, 40)', 'with dark letters');
  }
  await page.evaluate(`delete document.documentElement.dataset.theme`);
  same((await seen(page, 'figure svg[role=img]')).length, FIGURES, 'paper has all pictures');
  same(await seen(page, 'button, input, canvas, .readout, nav, summary, .rows'), [], 'and no controls');
  same(await page.evaluate(`document.querySelector('.folded td').checkVisibility()`), true, 'what is folded is printed');
  const pdf = await page.print();
  const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g);
  check(pages && pages.length > 2, 'several pages are printed', pages?.length);
  await page.show();
}

// Every picture, control and map that is seen has a name for those who do not see it.
async function isNamed(page) {
  const {nodes} = await page.send('Accessibility.getFullAXTree');
  const roles = ['image', 'img', 'radio', 'button', 'application', 'link'];
  const controls = nodes.filter(node => !node.ignored && roles.includes(node.role?.value));
  check(controls.length > 10, 'controls are found', controls.length);
  for (const {role, name} of controls)
    check(name?.value, `a ${role.value} without a name`);
}

async function runsNoOtherScript(page) {
  await page.evaluate(`(() => {
    const script = document.createElement('script');
    script.textContent = 'window.smuggled = true';
    document.body.append(script);
  })()`);
  same(await page.evaluate(`window.smuggled === undefined`), true, 'the policy stops a script');
  check(page.complaints.some(text => text.includes('Content Security Policy')), 'and says so', page.complaints);
}

async function isWholeWithoutScript(browser, url) {
  const page = await browser.page();
  await page.show();
  await page.send('Emulation.setScriptExecutionDisabled', {value: true});
  await page.open(url);
  same((await seen(page, 'figure svg[role=img]')).length, FIGURES, 'without a script all pictures are seen');
  same((await seen(page, 'h3.name')).length, 4, 'and their headings');
  same(await seen(page, 'button, input, canvas, .readout'), [], 'and nothing that does nothing');
  await keepsLabels(page);
  await keepsSides(page);
  await page.show({dark: true});
  check((await ground(page)) !== 'rgb(255, 255, 255)', 'dark where the system is, without a script, too');
}

// ---- All of it ----------------------------------------------------------------------------------

async function testSample(browser, url) {
  const page = await browser.page();
  await opens(page, url);
  for (const part of [showsSomething, switches, answersTheMouse, answersTheKeys, answersOnLargeMaps,
    showsAllInLittle, laysLabels, keepsSides, sorts, folds, changesColours, fits, prints, keepsLabels, keepsCaptions,
    isNamed])
    await part(page);
  same(page.requests, [url], 'still nothing else was requested');
  same(page.complaints, [], 'still no error');
  await runsNoOtherScript(page);
  await isWholeWithoutScript(browser, url);
}

async function testOther(browser, url) {
  const page = await browser.page();
  await opens(page, url);
  await showsSomething(page);
  check((await seen(page, 'figure svg[role=img]')).length > 0, 'a picture is seen');
  await keepsCaptions(page);
  await page.show({media: 'print'});
  const all = await page.evaluate(`document.querySelectorAll('figure svg[role=img]').length`);
  same((await seen(page, 'figure svg[role=img]')).length, all, 'paper has all pictures');
  same([page.requests, page.complaints], [[url], []], 'nothing was requested, no error');
}

const files = process.argv.slice(2);
const chromium = findChromium();
if (files.length === 0 || !files.every(file => existsSync(file))) {
  console.log('usage: node report.mjs SAMPLE [REPORT...]', files);
  process.exit(2);
}
if (!chromium) {
  console.log('browser: skipped, there is no Chromium here (the environment variable CHROMIUM may name one)');
  process.exit(0);
}
const browser = new Browser(chromium);
await run('reports', PATIENCE, async () => {
  const urls = files.map(file => pathToFileURL(resolve(file)).href);
  await testSample(browser, urls[0]);
  for (const url of urls.slice(1))
    await testOther(browser, url);
}, () => browser.close());

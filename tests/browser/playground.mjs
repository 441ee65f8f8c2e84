// playground.mjs - the playground in real browsers: node playground.mjs PLAYGROUND.html [FOLDER]
//
// Chromium is driven as a person would, by clicks and keys; Firefox is seen to train. Pictures of the page go to FOLDER.
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {pathToFileURL} from 'node:url';
import {check, run, same, sleep} from './checks.mjs';
import {Browser, findChromium} from './chromium.mjs';
import {Firefox, findFirefox} from './firefox.mjs';

const PATIENCE = 400000; // milliseconds until a browser that answers nothing is given up
const [file, folder] = process.argv.slice(2);
const url = pathToFileURL(resolve(file)).href;
const easy = 'task=copy&task-min=2&task-max=5&seed=3'; // learned in some seconds

// Waits until an expression is true in the page.
async function until(page, expression, what, seconds = 60) {
  for (let i = 0; i < seconds * 10; i++) {
    if (await page.evaluate(expression))
      return;
    await sleep(100);
  }
  check(false, `${what} within ${seconds} s`, await page.evaluate(`document.querySelector('#numbers').textContent`));
}

const text = (page, selector) => page.evaluate(`document.querySelector(${JSON.stringify(selector)}).textContent`);
const keep = async (page, name, whole = true) => {
  if (folder)
    writeFileSync(join(folder, `${name}.png`), await page.screenshot(whole));
};
const stepOf = async page => Number(/Step (\d+)/.exec(await text(page, '#numbers'))?.[1]);
const exactAbove = share => `Number(/(\\d+) % exact/.exec(document.querySelector('#numbers').textContent)?.[1]) >= ${share}`;

async function openWith(page, setting) {
  await page.open('about:blank'); // (an address that differs in its hash alone loads nothing)
  await page.open(`${url}#${setting}`);
  await until(page, `!document.querySelector('#run').disabled`, 'it begins');
}

// ---- Chromium ----------------------------------------------------------------------------------

async function trains(page) {
  await openWith(page, easy);
  await page.click('#step');
  await until(page, `document.querySelector('#numbers').textContent.startsWith('Step 1,')`, 'one step');
  const first = await text(page, '#numbers');
  await page.click('#run');
  await until(page, exactAbove(95), 'it learns to copy');
  await page.click('#run');
  await sleep(300);
  const paused = await stepOf(page);
  await sleep(500);
  same(await stepOf(page), paused, 'a pause');
  await page.evaluate(`document.querySelector('#learning').scrollIntoView()`);
  await until(page, `document.querySelectorAll('[data-view=charts] svg[role=img]').length >= 2`, 'charts', 10);
  await page.click('#rewind');
  await until(page, `document.querySelector('#numbers').textContent.startsWith('Step 0')`, 'rewound');
  await page.click('#step');
  await until(page, `document.querySelector('#numbers').textContent.startsWith('Step 1,')`, 'one step again');
  same(await text(page, '#numbers'), first, 'the same seed, the same numbers');
}

// While it trains, a frame of the page never waits for the module.
async function staysResponsive(page) {
  await openWith(page, 'task=reverse&d-model=128&layers=4&batch=64');
  await page.click('#run');
  await until(page, `/Step [1-9]/.test(document.querySelector('#numbers').textContent)`, 'a large model trains');
  const longest = await page.evaluate(`new Promise(resolve => {
    let longest = 0, before = performance.now(), frames = 0;
    const frame = now => {
      longest = Math.max(longest, now - before);
      before = now;
      if (++frames < 60) requestAnimationFrame(frame); else resolve(longest);
    };
    requestAnimationFrame(frame);
  })`);
  const step = await page.evaluate(`new Promise(resolve => {
    const begun = performance.now(), seen = document.querySelector('#numbers').textContent;
    const look = () => document.querySelector('#numbers').textContent === seen ? requestAnimationFrame(look) :
      resolve(performance.now() - begun);
    look();
  })`);
  check(longest < 2000, 'the page answers while a step is computed: milliseconds of a frame, of a step', longest, step);
  await page.click('#run');
}

async function saysWhatIsWrong(page) {
  for (const [setting, sentence] of [['nonsense', "no 'nonsense'"], ['task=copy&layers=99', 'layers=99'],
    ['task=%E0%A4%A', 'byte'], ['lines=abc', 'no TAB'], ['task=copy&target=sideways', 'sideways']]) {
    await page.open('about:blank');
    await page.open(`${url}#${setting}`);
    await until(page, `document.querySelector('#problem').textContent.includes(${JSON.stringify(sentence)})`,
      `${setting}: one sentence`, 20);
  }
}

async function fits(page) {
  await openWith(page, easy);
  for (const [width, dark] of [[1280, false], [1280, true], [390, false], [390, true]]) {
    await page.show({width, height: 900, dark});
    await sleep(500);
    const wider = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    check(wider <= 0, `${width} pixels are enough`, wider);
    await keep(page, `page-${width}-${dark ? 'dark' : 'light'}`);
  }
  const grounds = [];
  for (const dark of [false, true]) {
    await page.show({dark});
    grounds.push(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
  }
  check(grounds[0] !== grounds[1], 'light and dark', grounds);
  await page.show();
}

async function testChromium(browser) {
  const page = await browser.page();
  for (const part of [trains, staysResponsive, fits, saysWhatIsWrong])
    await part(page);
  same(page.complaints, [], 'no error');
  same(page.requests.filter(request => !/^(file|blob|data|about):/.test(request)), [], 'no request');
}

// ---- Firefox -----------------------------------------------------------------------------------

async function testFirefox(page) {
  await page.open(`${url}#${easy}`);
  await until(page, `!document.querySelector('#run').disabled`, 'Firefox begins');
  await page.evaluate(`document.querySelector('#run').click()`);
  await until(page, exactAbove(95), 'Firefox learns to copy', 120);
  same(await text(page, '#problem'), '', 'Firefox has no problem');
  await page.evaluate(`document.querySelector('#learning').scrollIntoView()`);
  await until(page, `document.querySelectorAll('[data-view=charts] svg[role=img]').length >= 2`, 'its charts', 10);
  await keep(page, 'firefox');
}

// ---- All of it ---------------------------------------------------------------------------------

if (!file || !readFileSync(file).length) {
  console.log('usage: node playground.mjs PLAYGROUND.html [FOLDER]');
  process.exit(2);
}
if (folder)
  mkdirSync(folder, {recursive: true});
const chromium = findChromium(), firefox = findFirefox();
if (chromium) {
  const browser = new Browser(chromium);
  await run('playground in Chromium', PATIENCE, () => testChromium(browser), () => browser.close());
} else
  console.log('playground: skipped, there is no Chromium here (the environment variable CHROMIUM may name one)');
if (firefox) {
  const page = new Firefox(), before = process.exitCode;
  await run('playground in Chromium and Firefox', PATIENCE, async () => {
    await page.begin(firefox);
    await testFirefox(page);
  }, () => page.close());
  process.exitCode ||= before;
} else
  console.log('playground: skipped, there is no Firefox here (the environment variable FIREFOX may name one)');

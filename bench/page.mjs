// page.mjs - how fast the playground is in Chromium: node bench/page.mjs PLAYGROUND.html [RUNS]
//
// For each run a new browser: the time to the first paint; the time until the demo's recipe (reverse of 3 to 10
// letters, as `train --preset demo`) answers 99 of 100 unseen words; and the pictures a second that the page gets
// while it trains at a width of 64.
import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';
import {Browser, findChromium} from '../tests/browser/chromium.mjs';

const DEMO = 'task=reverse&task-min=3&task-max=10&d-model=64&heads=2&layers=1&batch=64&steps=2400&lr=0.003';
const [file, runs = '3'] = process.argv.slice(2);
const url = pathToFileURL(resolve(file)).href;
const sleep = milliseconds => new Promise(done => setTimeout(done, milliseconds));
const chromium = findChromium();
if (!file || !chromium) {
  console.log(file ? 'bench: there is no Chromium here' : 'usage: node page.mjs PLAYGROUND.html [RUNS]');
  process.exit(2);
}

async function open(browser, setting) {
  const page = await browser.page();
  await page.show({width: 1280, height: 900});
  await page.open(`${url}#${setting}`);
  while (await page.evaluate(`document.querySelector('#run').disabled`))
    await sleep(20);
  const problem = await page.evaluate(`document.querySelector('#problem').textContent`);
  if (problem)
    throw new Error(problem);
  return page;
}

async function firstPaint(browser) {
  const page = await open(browser, '');
  return page.evaluate(`performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000`);
}

// Seconds from the click on Run, and the step.
async function demo(browser) {
  const page = await open(browser, DEMO);
  await page.evaluate(`document.querySelector('#learning').scrollIntoView()`);
  const found = await page.evaluate(`new Promise(done => {
    const begun = performance.now(), numbers = document.querySelector('#numbers');
    document.querySelector('#run').click();
    new MutationObserver(() => {
      if (Number(/(\\d+) % exact/.exec(numbers.textContent)?.[1]) >= 99)
        done([(performance.now() - begun) / 1000, Number(/Step (\\d+)/.exec(numbers.textContent)[1])]);
    }).observe(numbers, {childList: true, characterData: true, subtree: true});
  })`);
  await page.evaluate(`document.querySelector('#run').click()`);
  return found;
}

// Of the charts, during five seconds after the first.
async function pictures(browser) {
  const page = await open(browser, 'task=reverse&d-model=64');
  await page.evaluate(`document.querySelector('#learning').scrollIntoView()`);
  return page.evaluate(`new Promise(done => {
    let count = 0;
    new MutationObserver(() => count++).observe(document.querySelector('[data-view=charts]'), {childList: true});
    document.querySelector('#run').click();
    setTimeout(() => { count = 0; setTimeout(() => done(count / 5), 5000); }, 1000);
  })`);
}

const show = (name, values, unit) => {
  const sorted = [...values].sort((a, b) => a - b);
  console.log(`${name.padEnd(34)} median ${sorted[sorted.length >> 1].toFixed(2)} ${unit} ` +
    `(${sorted[0].toFixed(2)} to ${sorted.at(-1).toFixed(2)}, ${sorted.length} runs)`);
};

const found = {paint: [], seconds: [], steps: [], pictures: []};
for (let run = 0; run < Number(runs); run++) {
  const browser = new Browser(chromium);
  found.paint.push(await firstPaint(browser));
  const [seconds, steps] = await demo(browser);
  found.seconds.push(seconds);
  found.steps.push(steps);
  found.pictures.push(await pictures(browser));
  await browser.close();
}
show('first paint', found.paint, 's');
show('99 % of reverse, 3 to 10 letters', found.seconds, 's');
show('its steps', found.steps, '');
show('pictures a second at width 64', found.pictures, '');

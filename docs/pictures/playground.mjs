// playground.mjs - the playground's picture in docs, light and dark: node playground.mjs PLAYGROUND.html
//
// The lesson on a leak after 150 steps, in Chromium.
import {writeFileSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {Browser, findChromium} from '../../tests/browser/chromium.mjs';

const STEPS = 150, LESSON = 6;
const [file] = process.argv.slice(2);
const chromium = findChromium();
if (!file || !chromium) {
  console.log(file ? 'pictures: there is no Chromium here' : 'usage: node playground.mjs PLAYGROUND.html');
  process.exit(2);
}
const browser = new Browser(chromium);
const page = await browser.page();
const until = async expression => {
  while (!await page.evaluate(expression))
    await new Promise(done => setTimeout(done, 100));
};
await page.show({width: 1280, height: 1220});
await page.open(`${pathToFileURL(resolve(file)).href}#lesson=${LESSON}`);
await until(`!document.querySelector('#run').disabled`);
for (let step = 0; step < STEPS; step += 25) // (the buttons would stop at another step each time)
  await page.evaluate(`ask('step', '25').then(showNumbers).then(() => ask('evaluate')).then(showNumbers)`);
for (const dark of [false, true]) {
  await page.show({width: 1280, height: 1220, dark});
  await page.evaluate('watch()');
  await new Promise(done => setTimeout(done, 500));
  const name = `playground-${dark ? 'dark' : 'light'}.png`;
  writeFileSync(join(dirname(fileURLToPath(import.meta.url)), name), await page.screenshot());
}
await browser.close();

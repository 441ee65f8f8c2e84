// chromium.mjs - a headless Chromium, spoken to over its DevTools protocol through a pipe: JSON messages on file
// descriptors 3 and 4, each ended by a zero byte. Nothing but node itself is needed.
import {spawn} from 'node:child_process';
import {accessSync, constants, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {delimiter, join} from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

// The program named by an environment variable, or the first of the names that is on the path; undefined: none.
export function findProgram(variable, names) {
  if (process.env[variable])
    return process.env[variable];
  const folders = (process.env.PATH || '').split(delimiter);
  return names.flatMap(name => folders.map(folder => join(folder, name))).find(executable);
}

export const findChromium = () => findProgram('CHROMIUM', NAMES);

export class Browser {
  #process;
  #folder = mkdtempSync(join(tmpdir(), 'report-browser-'));
  #rest = '';
  #next = 1;
  #waiting = new Map(); // the calls that have no answer yet, by id
  #pages = new Map(); // by session
  #gone = null; // why no call will be answered any more

  constructor(path) {
    const flags = ['--headless=new', '--no-sandbox', '--remote-debugging-pipe', `--user-data-dir=${this.#folder}`,
      '--no-first-run', '--no-default-browser-check', '--disable-background-networking', '--disable-gpu',
      '--disable-dev-shm-usage', '--hide-scrollbars', '--force-color-profile=srgb', 'about:blank'];
    this.#process = spawn(path, flags, {stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']});
    this.#process.on('error', error => this.#end(error.message));
    this.#process.on('exit', code => this.#end(`the browser ended with code ${code}`));
    this.#process.stdio[3].on('error', () => {}); // a browser that has gone: told by 'exit'
    this.#process.stdio[4].setEncoding('utf8').on('data', text => this.#receive(text));
  }

  #end(reason) {
    this.#gone ??= reason;
    for (const call of this.#waiting.values())
      call.reject(new Error(reason));
    this.#waiting.clear();
  }

  #receive(text) {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop();
    for (const message of messages.map(each => JSON.parse(each))) {
      const call = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (call && message.error)
        call.reject(new Error(`${call.method}: ${message.error.message}`));
      else if (call)
        call.resolve(message.result);
      else
        this.#pages.get(message.sessionId)?.notice(message.method, message.params);
    }
  }

  send(method, params = {}, sessionId = undefined) {
    if (this.#gone)
      return Promise.reject(new Error(this.#gone));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {method, resolve, reject});
      this.#process.stdio[3].write(JSON.stringify({id, method, params, sessionId}) + '\0');
    });
  }

  // A new empty page, which notes what it is asked to fetch, what it logs and what goes wrong in it.
  async page() {
    const {targetId} = await this.send('Target.createTarget', {url: 'about:blank'});
    const {sessionId} = await this.send('Target.attachToTarget', {targetId, flatten: true});
    const page = new Page((method, params) => this.send(method, params, sessionId));
    this.#pages.set(sessionId, page);
    for (const domain of ['Page', 'Runtime', 'Network', 'Log'])
      await page.send(`${domain}.enable`);
    return page;
  }

  async close() {
    const ended = new Promise(resolve => this.#process.once('exit', resolve));
    const running = this.#process.exitCode === null && this.#process.pid !== undefined;
    await this.send('Browser.close').catch(() => {});
    if (running)
      await ended;
    rmSync(this.#folder, {recursive: true, force: true, maxRetries: 5});
  }
}

class Page {
  requests = []; // URLs
  complaints = []; // errors and warnings of the console, exceptions, violations of the security policy
  #loaded = () => {};

  constructor(send) {
    this.send = send;
  }

  notice(method, params) {
    if (method === 'Network.requestWillBeSent')
      this.requests.push(params.request.url);
    else if (method === 'Runtime.exceptionThrown')
      this.complaints.push(params.exceptionDetails.exception?.description || params.exceptionDetails.text);
    else if (method === 'Runtime.consoleAPICalled')
      this.complaints.push(`console.${params.type}: ${params.args.map(each => each.value).join(' ')}`);
    else if (method === 'Log.entryAdded')
      this.complaints.push(`${params.entry.level}: ${params.entry.text}`);
    else if (method === 'Page.loadEventFired')
      this.#loaded();
  }

  async open(url) {
    const loaded = new Promise(resolve => { this.#loaded = resolve; });
    const {errorText} = await this.send('Page.navigate', {url});
    if (errorText)
      throw new Error(`${url}: ${errorText}`);
    await loaded;
  }

  // The value of an expression in the page, or of what it promises.
  async evaluate(expression) {
    const {result, exceptionDetails} =
      await this.send('Runtime.evaluate', {expression, returnByValue: true, awaitPromise: true});
    if (exceptionDetails)
      throw new Error(`${expression}: ${exceptionDetails.exception?.description || exceptionDetails.text}`);
    return result.value;
  }

  // The middle of the first element that fits, scrolled into sight.
  async place(selector) {
    const place = await this.evaluate(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      if (!element) return null;
      element.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
      const box = element.getBoundingClientRect();
      return {x: box.x + box.width / 2, y: box.y + box.height / 2};
    })()`);
    if (!place)
      throw new Error(`there is no ${selector}`);
    return place;
  }

  async point(selector) {
    await this.send('Input.dispatchMouseEvent', {type: 'mouseMoved', ...await this.place(selector)});
  }

  async click(selector) {
    const mouse = {...await this.place(selector), button: 'left', clickCount: 1};
    for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased'])
      await this.send('Input.dispatchMouseEvent', {type, ...mouse});
  }

  // Presses at the first of the elements, moves over the others and lets go at the last.
  async drag(selectors) {
    const mouse = {button: 'left', buttons: 1, clickCount: 1};
    let at;
    for (const selector of selectors) {
      const type = at ? 'mouseMoved' : 'mousePressed';
      at = await this.place(selector);
      await this.send('Input.dispatchMouseEvent', {type, ...mouse, ...at});
    }
    await this.send('Input.dispatchMouseEvent', {type: 'mouseReleased', ...mouse, ...at});
  }

  // A key as it is named by KeyboardEvent.key.
  async press(key, shift = false) {
    const codes = {Tab: 9, Enter: 13, ' ': 32, PageUp: 33, PageDown: 34, End: 35, Home: 36, ArrowLeft: 37, ArrowUp: 38,
      ArrowRight: 39, ArrowDown: 40};
    const text = key === 'Enter' ? '\r' : key.length === 1 ? key : undefined;
    const event = {key, windowsVirtualKeyCode: codes[key] || key.charCodeAt(0), modifiers: shift ? 8 : 0};
    await this.send('Input.dispatchKeyEvent', {type: text ? 'keyDown' : 'rawKeyDown', text, ...event});
    await this.send('Input.dispatchKeyEvent', {type: 'keyUp', ...event});
  }

  // width x height of the window; `dark` as the system has it; `media` "screen" or "print".
  async show({width = 1200, height = 900, dark = false, media = ''} = {}) {
    await this.send('Emulation.setDeviceMetricsOverride', {width, height, deviceScaleFactor: 1, mobile: false});
    await this.send('Emulation.setEmulatedMedia',
      {media, features: [{name: 'prefers-color-scheme', value: dark ? 'dark' : 'light'}]});
  }

  // A picture of the window, or of the whole page, as the bytes of a PNG file.
  async screenshot(whole = false) {
    const {cssContentSize} = await this.send('Page.getLayoutMetrics');
    const clip = whole ? {clip: {...cssContentSize, scale: 1}} : {};
    const {data} = await this.send('Page.captureScreenshot', {format: 'png', captureBeyondViewport: whole, ...clip});
    return Buffer.from(data, 'base64');
  }

  async print() {
    const {data} = await this.send('Page.printToPDF', {printBackground: false});
    return Buffer.from(data, 'base64');
  }
}

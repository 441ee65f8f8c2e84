// firefox.mjs - a headless Firefox, spoken to over Marionette, its protocol for tests: JSON messages on a local
// socket, each with its length before it ("12:[0,1,...]"). Nothing but node itself is needed.
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createServer, connect} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {findProgram} from './chromium.mjs';

// The browser named by the environment variable FIREFOX, or the first that is on the path; undefined: there is none.
export const findFirefox = () => findProgram('FIREFOX', ['firefox-esr', 'firefox']);

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

const freePort = () => new Promise(resolve => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const {port} = server.address();
    server.close(() => resolve(port));
  });
});

export class Firefox {
  #process;
  #folder = mkdtempSync(join(tmpdir(), 'playground-firefox-'));
  #socket;
  #rest = Buffer.alloc(0);
  #next = 1;
  #waiting = new Map(); // the calls that have no answer yet, by id

  // Starts the browser and a session with it.
  async begin(path) {
    const port = await freePort();
    writeFileSync(join(this.#folder, 'user.js'), `user_pref("marionette.port", ${port});\n` +
      'user_pref("datareporting.policy.dataSubmissionEnabled", false);\nuser_pref("app.update.enabled", false);\n');
    this.#process = spawn(path, ['--headless', '--marionette', '--no-remote', '--profile', this.#folder, 'about:blank'],
      {stdio: 'ignore', env: {...process.env, MOZ_HEADLESS_WIDTH: '1280', MOZ_HEADLESS_HEIGHT: '900'}});
    for (let tries = 0; !this.#socket; tries++) {
      await sleep(200);
      this.#socket = await this.#connect(port).catch(() => null);
      if (tries === 300)
        throw new Error('Firefox does not listen');
    }
    this.#socket.on('data', bytes => this.#receive(bytes));
    await this.send('WebDriver:NewSession', {capabilities: {alwaysMatch: {acceptInsecureCerts: false}}});
  }

  #connect(port) {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket));
      socket.on('error', reject);
    });
  }

  #receive(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const colon = this.#rest.indexOf(':');
      const size = Number(this.#rest.subarray(0, Math.max(colon, 0)).toString());
      if (colon < 0 || this.#rest.length < colon + 1 + size)
        return;
      const message = JSON.parse(this.#rest.subarray(colon + 1, colon + 1 + size).toString());
      this.#rest = this.#rest.subarray(colon + 1 + size);
      const call = Array.isArray(message) && this.#waiting.get(message[1]);
      if (!call)
        continue; // its greeting
      this.#waiting.delete(message[1]);
      if (message[2])
        call.reject(new Error(`${call.method}: ${message[2].message}`));
      else
        call.resolve(message[3]);
    }
  }

  send(method, parameters = {}) {
    const id = this.#next++, text = JSON.stringify([0, id, method, parameters]);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {method, resolve, reject});
      this.#socket.write(`${Buffer.byteLength(text)}:${text}`);
    });
  }

  open(url) {
    return this.send('WebDriver:Navigate', {url});
  }

  // The value of an expression in the page.
  async evaluate(expression) {
    const {value} = await this.send('WebDriver:ExecuteScript', {script: `return ${expression};`, args: []});
    return value;
  }

  // A picture of the whole page, as the bytes of a PNG file.
  async screenshot() {
    const {value} = await this.send('WebDriver:TakeScreenshot', {full: true, hash: false});
    return Buffer.from(value, 'base64');
  }

  async close() {
    this.#socket?.destroy();
    const gone = new Promise(resolve => this.#process.on('exit', resolve));
    this.#process.kill('SIGKILL');
    await gone;
    rmSync(this.#folder, {recursive: true, force: true, maxRetries: 5});
  }
}

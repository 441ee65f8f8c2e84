// checks.mjs - counts what holds and what does not, and says the latter.
export const count = {checks: 0, failures: 0};

export function check(good, what, ...found) {
  count.checks++;
  if (good)
    return;
  count.failures++;
  console.log(`FAILED: ${what}`, ...found);
}

export function same(found, expected, what) {
  check(JSON.stringify(found) === JSON.stringify(expected), what, 'found', found, 'expected', expected);
}

export const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

// Runs the test with a watch, says how it ended, and sets the exit code. `close` ends the browser.
export async function run(name, patience, test, close) {
  const watch = setTimeout(() => {
    console.log('FAILED: the browser does not answer');
    close().finally(() => process.exit(1));
  }, patience);
  try {
    await test();
  } catch (error) {
    check(false, error.stack);
  }
  clearTimeout(watch);
  await close();
  console.log(`${name}: ${count.checks} checks, ${count.failures} failures`);
  process.exitCode = count.failures ? 1 : 0;
}

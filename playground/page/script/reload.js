// reload.js - a page that is loaded again takes its run up again. The address holds the setting;
// so the run begins from its seed, and trains to the step where it was.
let left = history.state; // {step, running}; null: the page is opened for the first time
let runs = 0;             // that have begun here

addEventListener('beforeunload', () => {
  const onItsWay = left?.step > (numbers.step || 0);
  history.replaceState(onItsWay ? left : {step: numbers.step, running}, '');
});

parts.push({
  begun: () => {
    if (runs++) left = null;
    $('#reloaded').hidden = !left?.step;
    if (left?.step) {
      $('#reloaded').textContent = 'The page was loaded again. So the run began again, from its seed and ' +
        `under these masks: it trains to step ${left.step}, where it was${left.running ? ', and on' : ''}.`;
      toggleRun(left.running ? undefined : left.step);
    }
  },
});

// reload.js - a page that is loaded again takes its run up again. The address holds the setting;
// so the run begins from its seed, and trains to the step where it was. The fields that are no part
// of the setting come back too. A model that came from a file does not.
let left = history.state; // {step, running, loaded, fields, unseen}; null: opened for the first time
let runs = 0;             // that have begun here

const keptFields = [...document.querySelectorAll('#speed, #vectors, #example :is(input, select), ' +
  '#attention-kind, #attention-layer, #expression, #values')];

addEventListener('beforeunload', () => {
  const onItsWay = left?.step > (numbers.step || 0);
  const {step, running: ran} = onItsWay ? left : {step: numbers.step, running};
  const fields = keptFields.map(field => field.value);
  history.replaceState({step, running: ran, loaded, fields, unseen: firstUnseen}, '');
});

const restoreFields = () => {
  firstUnseen = left.unseen; // (else the example would be the run's first)
  for (const [i, field] of keptFields.entries()) {
    if (field.id === 'attention-layer') field.add(new Option(left.fields[i]));
    field.value = left.fields[i];
  }
  vectors.dispatchEvent(new Event('input'));
};

parts.push({
  begun: () => {
    if (runs++) left = null;
    if (left) restoreFields();
    if (left?.loaded) {
      $('#file-note').textContent = `The page was loaded again: the model of ${left.loaded} is gone; load it again.`;
      left = null;
    }
    $('#reloaded').hidden = !left?.step;
    if (left?.step) {
      $('#reloaded').textContent = 'The page was loaded again. So the run began again, from its seed and ' +
        `under these masks: it trains to step ${left.step}, where it was${left.running ? ', and on' : ''}.`;
      toggleRun(left.running ? undefined : left.step);
    }
  },
});

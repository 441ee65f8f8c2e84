// gradients.js - a fault planted in the training, the check that finds it, and the error curves of
// single operations.
{
  const fault = $('#fault'), button = $('#gradcheck'), note = $('#gradcheck-note');

  // A check is of the model as it was: what has changed since is said beside it.
  let checked = false;
  const forget = sentence => {
    if (checked) note.textContent = sentence;
    checked = false;
  };

  parts.push({
    write: () => fault.value === 'none' ? [] : [`fault=${fault.value}`],
    read: values => { fault.value = values.get('fault') || 'none'; },
    begun: () => {
      note.textContent = '';
      checked = false;
      showViews({gradcheck: {status: 0, answer: ''}});
    },
  });
  fault.addEventListener('change', () => {
    forget('The fault has changed since this check.');
    change();
  });

  button.addEventListener('click', async () => {
    if (button.ariaBusy === 'true') return;
    button.ariaBusy = 'true';
    note.textContent = 'Checking: some seconds …';
    const step = numbers.step || 0;
    showViews({gradcheck: await send({ask: ['gradcheck', '']})});
    note.textContent = `The check at step ${step}.`;
    checked = true;
    button.ariaBusy = 'false';
  });

  // ---- The error of a difference over its step --------------------------------------------------

  const operation = $('#operation');
  const showCurve = async () => showViews({curve: await send({ask: ['curve', operation.value]})});
  operation.addEventListener('change', showCurve);
  $('#curve').addEventListener('toggle', async () => {
    if (operation.options.length) return;
    operation.innerHTML = await ask('operations');
    operation.value = 'tanh';
    showCurve();
  });
}

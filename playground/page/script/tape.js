// tape.js - the tape of an expression, forward and backward, node by node.
{
  const expression = $('#expression'), values = $('#values');
  let steps = 0, all = 0; // shown; 0: all of them

  // The answer begins with "Step 3 of 7".
  const show = async wanted => {
    const found = await send({ask: ['tape', `${expression.value}\n${values.value}\n${wanted}`]});
    const [, step, count] = /Step (\d+) of (\d+)/.exec(found.answer) || [0, 0, 0];
    [steps, all] = [Number(step), Number(count)];
    $('#tape-start').disabled = $('#tape-all').disabled = Boolean(found.status);
    $('#tape-back').disabled = steps <= 1;
    $('#tape-next').disabled = steps >= all;
    showViews({tape: found});
  };

  for (const input of [expression, values]) input.addEventListener('input', () => show(0));
  $('#tape-start').addEventListener('click', () => show(1));
  $('#tape-back').addEventListener('click', () => show(steps - 1));
  $('#tape-next').addEventListener('click', () => show(steps + 1));
  $('#tape-all').addEventListener('click', () => show(0));
  parts.push({begun: () => { if (!all) show(0); }});
}

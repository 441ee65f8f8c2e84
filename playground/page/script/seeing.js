// seeing.js - the example that one can edit: what the model looks at in it, what it depends on, and
// whether a mask leaks.
const example = {
  source: $('#example-source'), target: $('#example-target'), answer: $('#example-answer'),
  padding: $('#example-padding'), masks: $('#example-masks'),
};
const PAUSE = 2000; // milliseconds from one influence to the next, while it trains
let number = 0; // of the unseen example that was taken last

const encoded = text => encodeURIComponent(text.toWellFormed?.() ?? text);
const exampleText = () => `source=${encoded(example.source.value)}&padding=${Number(example.padding.value)}` +
  `&masks=${example.masks.value}` +
  (example.answer.value === 'right' ? `&target=${encoded(example.target.value)}` : '');

// Puts the example into the views that show it. Scripts that follow this one add to `onExample`.
const onExample = [];
const showExample = () => {
  example.target.disabled = example.answer.value === 'own';
  const layer = $('#attention-layer').value;
  $('[data-view=attention]').dataset.text = `${exampleText()}&attention=${$('#attention-kind').value}` +
    (layer === 'all' ? '' : `&layer=${layer}`);
  renewInfluence();
  for (const act of onExample) act();
  watch();
};

const takeExample = ({source, target}) => {
  example.source.value = source;
  example.target.value = target;
  showExample();
};

// ---- Influence and leaks, which cost too much to be drawn with every picture ------------------

let finding = false, wanted = false, timer = 0;
const showVerdict = ({status, answer}) => {
  $('#verdict').textContent = status ? answer : `${answer} (Step ${numbers.step}.)`;
  $('#verdict').classList.toggle('leak', status !== 0 || !answer.startsWith('No leak'));
};
const findInfluence = async () => {
  wanted = true;
  if (finding) return;
  finding = true;
  $('#influence-find').ariaBusy = 'true';
  let leaks, influence;
  while (wanted) {
    wanted = false;
    leaks = await send({ask: ['leaks', exampleText()]});
    influence = await send({ask: ['influence', exampleText()]});
  }
  finding = false;
  $('#influence-find').ariaBusy = 'false';
  showVerdict(leaks);
  replace($('#influence'), influence.status ? '' : influence.answer);
  repeatInfluence();
};
const repeatInfluence = () => {
  clearTimeout(timer);
  const act = () => running ? findInfluence() : repeatInfluence();
  if ($('#influence-again').checked) timer = setTimeout(act, PAUSE);
};
// What was found of another example, under other masks or before more training is found again.
const renewInfluence = () => {
  if ($('#influence').childElementCount) findInfluence();
};

// ---- The controls ----------------------------------------------------------------------------

parts.push({
  rested: renewInfluence,
  changed: renewInfluence,
  begun: async ({encoder_layers: encoder, decoder_layers: decoder}) => {
    for (const label of document.querySelectorAll('#example .target')) label.hidden = !decoder;
    const kinds = {cross: encoder && decoder, decoder, encoder}, kind = $('#attention-kind');
    for (const option of kind.options) option.hidden = option.disabled = !kinds[option.value];
    if (kind.selectedOptions[0].disabled) kind.value = decoder ? 'decoder' : 'encoder';
    showLayers({cross: decoder, decoder, encoder});
    // An example that was typed stays, unless the run has others than the one before.
    const found = await ask('unseen', '0');
    if (!found) return;
    if (JSON.stringify(found) === firstUnseen) return showExample();
    firstUnseen = JSON.stringify(found);
    number = 0;
    takeExample(found);
  },
});
let firstUnseen = '', layers = {};
const showLayers = (found = layers) => {
  layers = found;
  const select = $('#attention-layer'), chosen = select.value;
  select.replaceChildren(...[...Array(layers[$('#attention-kind').value]).keys()].map(i => new Option(i, i)));
  if (select.length > 1) select.append(new Option('all', 'all'));
  if ([...select.options].some(option => option.value === chosen)) select.value = chosen;
};
$('#attention-kind').addEventListener('change', () => { showLayers(); showExample(); });
$('#attention-layer').addEventListener('change', showExample);
$('#example').addEventListener('input', showExample);
$('#example-next').addEventListener('click', async () => {
  const found = await ask('unseen', String(++number));
  if (found) takeExample(found);
});
$('#influence-find').addEventListener('click', findInfluence);
$('#influence-again').addEventListener('change', ({target}) => target.checked ? findInfluence() : repeatInfluence());

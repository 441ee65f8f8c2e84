// masks.js - the cards of the masks: a pattern, and its cells to paint. The module says which
// cells a mask has and what it means; masks are texts here, as in the setting.
const maskCards = {
  source: {title: 'Source self-attention', absent: ['decoder'], sides: ['source', 'source']},
  target: {title: 'Target self-attention', absent: ['encoder'], sides: ['target', 'target']},
  cross: {title: 'Cross-attention', absent: ['encoder', 'decoder'], sides: ['target', 'source']},
};
const masks = {training: {}, evaluation: {}}; // by name; the evaluation has those that are its own
let lengths = {};

const maskPhase = () => $('#masks [name=phase]:checked').value;
const shownCards = () => Object.values(maskCards).filter(card => !card.place.hidden);

const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text; // (what changes is read aloud)
};

// ---- Cells -----------------------------------------------------------------------------------

const markCell = (cell, mark) => {
  const sight = {'.': 'hidden', '#': 'seen', '!': 'seen, a leak'}[mark];
  cell.dataset.mark = mark;
  cell.setAttribute('aria-selected', mark !== '.');
  cell.setAttribute('aria-label', `${cell.dataset.place}: ${sight}`);
};

const buildGrid = (card, rows, columns) => {
  const repeat = (count, write) => Array.from({length: count}, (_, i) => write(i)).join('');
  const head = role => i => `<span role="${role}">${i}</span>`;
  const cell = (i, j) => `<span role="gridcell" tabindex="-1" data-place="query ${i}, key ${j}"></span>`;
  const row = (first, rest) => `<div role="row">${first}${rest}</div>`;
  card.grid.innerHTML = row('<span aria-hidden="true"></span>', repeat(columns, head('columnheader'))) +
    repeat(rows, i => row(head('rowheader')(i), repeat(columns, j => cell(i, j))));
  card.grid.style.setProperty('--columns', columns);
  card.grid.classList.toggle('many', columns > 16);
  card.cells = [...card.grid.querySelectorAll('[role=gridcell]')];
  card.cells[0].tabIndex = 0;
  Object.assign(card, {rows, columns});
};

// ---- Cards -----------------------------------------------------------------------------------

// What a window or a prefix begins with; undefined for other patterns.
const countOf = card => card.pattern.selectedOptions[0].dataset.count;
const drawCard = (card, found) => {
  if (card.rows !== found.rows || card.columns !== found.columns) buildGrid(card, found.rows, found.columns);
  card.cells.forEach((cell, at) => markCell(cell, found.cells[at]));
  const inTraining = maskPhase() === 'training', follows = !inTraining && !masks.evaluation[card.name];
  card.pattern.options[0].hidden = inTraining;
  card.pattern.value = follows ? '' : found.pattern;
  card.number.parentNode.hidden = !countOf(card);
  if (countOf(card)) card.number.value = found.number;
  card.padding.checked = found.padding;
  card.padding.disabled = follows;
  for (const words of ['meaning', 'leak', 'notes']) setText(card[words], found[words]);
};

// Draws the mask of the phase that is shown, unless a person has painted on meanwhile; false, with
// the reason on the page, if it is none.
const showCard = async card => {
  const {strokes, name} = card, sizes = card.sides.map(side => lengths[side]).join('x');
  const found = await ask('mask', `${name} ${sizes} ${masks[maskPhase()][name] || masks.training[name]}`);
  if (found && card.strokes === strokes) drawCard(card, found);
  return Boolean(found);
};

const showApart = () => {
  const apart = shownCards().map(card => card.name).filter(name => masks.evaluation[name]).join(', ');
  setText($('#masks-apart'), `The evaluation has ${apart ? `its own: ${apart}` : 'the same masks'}.`);
};

// Gives the card a mask in a phase; '': that of the training.
const setMask = async (card, text, phase) => {
  const own = masks[phase], before = own[card.name];
  own[card.name] = text;
  if (await showCard(card)) change();
  else {
    own[card.name] = before;
    showCard(card);
  }
  showApart();
};

const withPadding = (card, text) => text + (card.padding.checked ? ',padding' : '');

const paint = async card => {
  const {strokes} = card, phase = maskPhase(), padding = withPadding(card, '');
  const marks = card.cells.map(cell => cell.dataset.mark).join('');
  const found = await ask('paint', `${card.rows}x${card.columns} ${marks}`);
  if (found && card.strokes === strokes) setMask(card, found.mask + padding, phase);
};

const choose = card => {
  const pattern = card.pattern.value, count = countOf(card);
  if (pattern === 'own') return paint(card);
  if (count && card.number.parentNode.hidden) card.number.value = count;
  if (count && card.number.value === '') return undefined; // (being typed)
  const text = count ? `${pattern}:${card.number.value}` : pattern;
  return setMask(card, text && withPadding(card, text), maskPhase());
};

// ---- Painting, and walking by keys -----------------------------------------------------------

const mark = (card, cell, as) => {
  card.strokes++;
  markCell(cell, as);
};
const toggle = (card, cell) => mark(card, cell, cell.dataset.mark === '.' ? '#' : '.');

const listenToPointer = card => {
  let brush = null; // the mark that the stroke leaves
  const touch = event => {
    const cell = document.elementFromPoint(event.clientX, event.clientY)?.closest('[role=gridcell]');
    if (card.cells.includes(cell)) mark(card, cell, brush);
  };
  card.grid.addEventListener('pointerdown', event => {
    if (!event.target.matches('[role=gridcell]') || event.button) return;
    event.preventDefault();
    walkTo(card, event.target);
    toggle(card, event.target);
    brush = event.target.dataset.mark;
    card.grid.setPointerCapture(event.pointerId);
  });
  card.grid.addEventListener('pointermove', event => {
    if (brush) event.getCoalescedEvents().concat(event).forEach(touch);
  });
  card.grid.addEventListener('lostpointercapture', () => {
    brush = null;
    paint(card);
  });
};

const walkTo = (card, cell) => {
  for (const other of card.grid.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
};

const listenToKeys = card => card.grid.addEventListener('keydown', event => {
  const at = card.cells.indexOf(event.target), column = at % card.columns, last = card.columns - 1;
  const steps = {ArrowUp: -card.columns, ArrowDown: card.columns, ArrowLeft: column > 0 ? -1 : 0,
    ArrowRight: column < last ? 1 : 0, Home: -column, End: last - column};
  if (event.key in steps) walkTo(card, card.cells[at + steps[event.key]] || event.target);
  else if (event.key === ' ' || event.key === 'Enter') {
    toggle(card, event.target);
    paint(card);
  } else return;
  event.preventDefault();
});

// ---- The page --------------------------------------------------------------------------------

for (const [name, card] of Object.entries(maskCards)) {
  const place = $('#mask').content.firstElementChild.cloneNode(true);
  for (const field of ['pattern', 'number', 'grid', 'padding', 'meaning', 'leak', 'notes']) {
    card[field] = place.querySelector(`.${field}`);
    card[field].id = `${name}-${field}`;
  }
  Object.assign(card, {name, place, strokes: 0});
  place.id = `mask-${name}`;
  place.querySelector('h3').textContent = card.title;
  place.setAttribute('aria-label', card.title);
  card.grid.setAttribute('aria-label', `${card.title}: rows are queries, columns are keys`);
  place.addEventListener('change', () => choose(card));
  listenToPointer(card);
  listenToKeys(card);
  $('#mask-cards').append(place);
}

const showMasks = () => {
  shownCards().forEach(showCard);
  showApart();
};
$('#masks fieldset').addEventListener('change', showMasks);

parts.push({
  write: () => shownCards().flatMap(({name}) => [`${name}=${masks.training[name]}`,
    ...(masks.evaluation[name] ? [`eval-${name}=${masks.evaluation[name]}`] : [])]),
  read: values => {
    for (const name in maskCards) {
      masks.training[name] = values.get(name);
      masks.evaluation[name] = values.get(`eval-${name}`);
    }
  },
  begun: found => {
    lengths = {source: found.source_length, target: found.target_length};
    const kind = form.elements.model.value;
    for (const card of Object.values(maskCards)) card.place.hidden = card.absent.includes(kind);
    showMasks();
  },
});

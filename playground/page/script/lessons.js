// lessons.js - nine lessons: a setting, a question, a thing to do, what to notice; see lessons.html.
//
// An <article data-setting="SETTING"> is a lesson. data-weights are the vectors that it shows, and
// data-expression and data-values what it puts on the tape. The number of the lesson is part of the
// setting, and the address #lesson=3 is the third lesson, set up.
const lessons = [...document.querySelectorAll('#lessons article')];
const vectors = $('#vectors'), weights = $('[data-view="weights"]');
let lesson = 0; // 0: none yet

// ---- What a lesson sets up -------------------------------------------------------------------

const settingOf = number => {
  const [own, lines] = lessons[number - 1].dataset.setting.split('&lines=');
  return `${own}${lines ? `&lines=${encodeURIComponent(lines)}` : ''}&lesson=${number}`;
};

const fill = (selector, text) => {
  if (text === undefined || !$(selector)) return;
  $(selector).value = text;
  $(selector).dispatchEvent(new Event('input', {bubbles: true}));
};

const setUp = async () => {
  const {expression, values} = lessons[lesson - 1].dataset;
  fill('#expression', expression);
  fill('#values', values);
  form.elements.lines.value = lessons[lesson - 1].dataset.setting.split('&lines=')[1] || '';
  await begin(settingOf(lesson));
};

// ---- Which one is shown ----------------------------------------------------------------------

const chips = lessons.map((article, i) => {
  const chip = document.createElement('button');
  chip.type = 'button';
  chip.innerHTML = '<span></span> <span></span>';
  chip.children[0].textContent = i + 1;
  chip.children[1].textContent = article.querySelector('h3').textContent;
  chip.addEventListener('click', () => goTo(i + 1));
  const item = document.createElement('li');
  item.append(chip);
  $('#lesson-list').append(item);
  return chip;
});

const showLesson = number => {
  if (number === lesson) return;
  lesson = number;
  $('#welcome').hidden = Boolean(number);
  lessons.forEach((article, i) => {
    article.hidden = i + 1 !== number;
    chips[i].toggleAttribute('aria-current', i + 1 === number);
  });
  $('#lesson-back').disabled = !number;
  $('#lesson-next').disabled = number === lessons.length;
  $('#lesson-set').hidden = !number;
  $('#lesson-next').textContent = number ? 'Next' : 'First lesson';
  $('#lesson-place').textContent = number ? `Lesson ${number} of ${lessons.length}` : 'Two minutes each';
  const text = number ? lessons[number - 1].dataset.weights : undefined;
  $('#weights').hidden = text === undefined;
  vectors.rows = text ? text.split('\n').length : 1;
  fill('#vectors', text);
};

// Shows a lesson, and notes it in the address; the model stays as it is until the lesson is set up.
const goTo = number => {
  showLesson(number);
  const others = address.split('&').filter(part => part && !part.startsWith('lesson='));
  keepAddress([...others, ...(number ? [`lesson=${number}`] : [])].join('&'));
};

$('#lesson-back').addEventListener('click', () => goTo(lesson - 1));
$('#lesson-next').addEventListener('click', () => goTo(lesson + 1));
$('#lesson-set').addEventListener('click', setUp);
vectors.addEventListener('input', () => {
  weights.dataset.text = vectors.value;
  watch();
});

parts.push({
  write: () => lesson ? [`lesson=${lesson}`] : [],
  read: values => showLesson(Number(values.get('lesson') || 0)),
});

// ---- Links and addresses ---------------------------------------------------------------------

// Scrolls to a place, and again as long as what stands above it is drawn and grows, until the person
// moves the page or two seconds pass without a change.
const goToPlace = place => {
  const end = new AbortController();
  let timer = 0;
  const again = new ResizeObserver(() => {
    place.scrollIntoView();
    clearTimeout(timer);
    timer = setTimeout(() => end.abort(), 2000);
  });
  again.observe($('main'));
  end.signal.addEventListener('abort', () => again.disconnect());
  for (const type of ['wheel', 'touchstart', 'pointerdown', 'keydown'])
    addEventListener(type, () => end.abort(), {signal: end.signal, passive: true});
};

// Links within the page move the sight and the focus, and leave the address alone: it is the setting.
document.addEventListener('click', event => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  const place = $(link.getAttribute('href'));
  place.tabIndex = -1;
  goToPlace(place);
  place.focus({preventScroll: true});
});

const expandAddress = () => {
  const [, number] = /^#lesson=([1-9])$/.exec(location.hash) || [];
  if (number) history.replaceState(null, '', `#${settingOf(Number(number))}`);
};
expandAddress();
addEventListener('hashchange', expandAddress, true); // before page.js begins what the address says

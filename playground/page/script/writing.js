// writing.js - the answer token by token, under the masks of evaluation.
let token = 0; // that is looked at, from 0

const showToken = () => {
  $('[data-view=writing]').dataset.text = `source=${encoded(example.source.value)}` +
    `&padding=${Number(example.padding.value)}&tokens=${token}`;
};
// Goes `by` tokens on or back, as far as the answer goes.
const goToken = async by => {
  $('#write-place').textContent = '';
  const {status, answer} = await send({ask: ['looks', $('[data-view=writing]').dataset.text]});
  if (status) return;
  const {looks} = JSON.parse(answer);
  token = Math.max(0, Math.min(token + by, looks - 1));
  $('#write-place').textContent = `Token ${token + 1} of ${looks}`;
  showToken();
  watch();
};
onExample.push(() => {
  token = 0;
  showToken();
  goToken(0);
});
parts.push({rested: () => goToken(0), changed: () => goToken(0)});
$('#write-next').addEventListener('click', () => goToken(1));
$('#write-back').addEventListener('click', () => goToken(-1));
$('#write-first').addEventListener('click', () => goToken(-token));
$('#writing').addEventListener('keydown', event => {
  const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  goToken(by);
});

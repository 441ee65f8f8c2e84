// file.js - the model as a file: downloaded, dropped or chosen, and the SHA-256 of its parameters.
{
  const MOST = 32; // MB of a file
  const note = $('#file-note'), again = $('#again');

  // ---- The digest, whenever training rests -----------------------------------------------------

  const showDigest = async () => {
    const {status, answer} = await send({ask: ['digest', '']});
    if (status) return;
    const {step, parameters_sha256, command} = JSON.parse(answer);
    $('#digest-step').textContent = step;
    $('#digest').textContent = parameters_sha256;
    $('#command').textContent = command && `TAPEFORMER_LEVEL=generic ${command}`;
    for (const place of document.querySelectorAll('.by-command')) place.hidden = !command;
  };

  // ---- Download --------------------------------------------------------------------------------

  const download = async () => {
    const found = await ask('save');
    if (!found) return;
    const {bytes} = await send({read: found.path});
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([bytes], {type: 'application/octet-stream'}));
    link.download = found.path;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    note.textContent = `${found.path} is downloaded; the SHA-256 of the file is ${found.sha256}.`;
  };

  // ---- Load ------------------------------------------------------------------------------------

  const load = async (name, bytes) => {
    const {task, lines} = form.elements, own = task.value ? '' : lines.value;
    await send({write: name, bytes});
    const found = await startRun('load', `${name}\n${own}`);
    await send({write: name, bytes: new Uint8Array()}); // (its bytes are kept here, to rewind)
    if (!found) {
      note.textContent = $('#problem').textContent;
      return;
    }
    rewind = () => load(name, bytes);
    again.hidden = false;
    again.textContent = `Load ${name} again`;
    again.onclick = rewind;
    note.textContent = `${name} is loaded: ${found.parameters} parameters. ` + (found.learns ?
      `It can be trained further, on ${task.value || 'the lines above'}.` :
      'It came without examples, so it is studied only. To train it, paste own lines and load it again.');
  };

  const take = async file => {
    if (!file) return;
    const name = file.name.replace(/[\n\0]/g, ' ');
    if (file.size > MOST << 20) {
      note.textContent = `${name} has more than the ${MOST} MB that a page takes; the command takes any.`;
      return;
    }
    const bytes = await file.arrayBuffer().catch(() => null);
    if (bytes) await load(name, new Uint8Array(bytes));
    else note.textContent = `${name} cannot be read: is it a folder?`;
  };

  // ---- The section -----------------------------------------------------------------------------

  $('#save').addEventListener('click', download);
  $('#open').addEventListener('change', async ({target}) => {
    await take(target.files[0]);
    target.value = ''; // (else the same file could not be chosen again)
  });

  // A file may be dropped anywhere on the page.
  const hasFile = event => event.dataTransfer?.types.includes('Files');
  const mark = on => $('#file').classList.toggle('over', on);
  addEventListener('dragover', event => {
    if (!hasFile(event)) return;
    event.preventDefault();
    mark(true);
  });
  addEventListener('dragleave', event => event.relatedTarget || mark(false));
  addEventListener('drop', event => {
    if (!hasFile(event)) return;
    event.preventDefault();
    mark(false);
    $('#file').scrollIntoView();
    take(event.dataTransfer.files[0]);
  });

  parts.push({begun: showDigest, rested: showDigest});
}

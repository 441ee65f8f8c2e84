// files.js - a file system in memory and the other things of WASI that the module calls
// (github.com/WebAssembly/WASI, snapshot preview1). There is one folder, "/".
// A path is a key of `files`; a file is {bytes, size}, where bytes may be longer than size.
const files = new Map();

const WASI = {SUCCESS: 0, BADF: 8, EXIST: 20, NOENT: 44, NOSYS: 52};
const FOLDER = 3, FIRST_FILE = 4; // descriptors; 0 to 2 are the standard streams
const KIND_FOLDER = 3, KIND_FILE = 4;

const makeWasi = memory => {
  const open = new Map([[FOLDER, null]]); // descriptor -> {file, at}; null: the folder
  const view = () => new DataView(memory().buffer);
  const bytesAt = (at, size) => new Uint8Array(memory().buffer, at, size);
  const pathAt = (at, size) => new TextDecoder().decode(bytesAt(at, size)).replace(/^[./]+/, '');

  const resize = (file, size) => {
    if (size > file.bytes.length) {
      const larger = new Uint8Array(Math.max(size, 2 * file.bytes.length));
      larger.set(file.bytes.subarray(0, file.size));
      file.bytes = larger;
    }
    if (size < file.size) file.bytes.fill(0, size, file.size);
    file.size = size;
  };
  // Calls use(at, size) for each of the `count` buffers in memory.
  const eachBuffer = (buffers, count, use) => {
    for (let i = 0; i < count; i++) use(view().getUint32(buffers + 8 * i, true), view().getUint32(buffers + 8 * i + 4, true));
  };
  const read = (file, from, buffers, count, done) => {
    let at = from;
    eachBuffer(buffers, count, (to, size) => {
      const part = file.bytes.subarray(at, Math.max(at, Math.min(file.size, at + size)));
      bytesAt(to, part.length).set(part);
      at += part.length;
    });
    view().setUint32(done, at - from, true);
    return at;
  };
  const write = (file, from, buffers, count, done) => {
    let at = from;
    eachBuffer(buffers, count, (where, size) => {
      resize(file, Math.max(file.size, at + size));
      file.bytes.set(bytesAt(where, size), at);
      at += size;
    });
    view().setUint32(done, at - from, true);
    return at;
  };
  // Calls use(state) for an open file.
  const withFile = (descriptor, use) => {
    const state = open.get(descriptor);
    if (!state) return WASI.BADF;
    use(state);
    return WASI.SUCCESS;
  };
  const isFolder = descriptor => open.get(descriptor) === null;
  const putStat = (to, kind, size) => {
    bytesAt(to, 64).fill(0);
    view().setUint8(to + 16, kind);
    view().setBigUint64(to + 24, 1n, true);
    view().setBigUint64(to + 32, BigInt(size), true);
  };

  return {
    environ_sizes_get: (count, size) => {
      view().setUint32(count, 0, true);
      view().setUint32(size, 0, true);
      return WASI.SUCCESS;
    },
    environ_get: () => WASI.SUCCESS,
    clock_time_get: (clock, precision, to) => {
      view().setBigUint64(to, BigInt(Math.round(performance.now() * 1e6)), true);
      return WASI.SUCCESS;
    },
    random_get: (to, size) => {
      crypto.getRandomValues(bytesAt(to, size));
      return WASI.SUCCESS;
    },
    proc_exit: code => { throw new Error(`the program ended with ${code}`); },

    fd_prestat_get: (descriptor, to) => {
      if (descriptor !== FOLDER) return WASI.BADF;
      view().setUint8(to, 0);
      view().setUint32(to + 4, 1, true);
      return WASI.SUCCESS;
    },
    fd_prestat_dir_name: (descriptor, to, size) => {
      bytesAt(to, size).set(new TextEncoder().encode('/'));
      return WASI.SUCCESS;
    },
    fd_fdstat_get: (descriptor, to) => {
      if (descriptor > FOLDER && !open.has(descriptor)) return WASI.BADF;
      bytesAt(to, 24).fill(0);
      view().setUint8(to, isFolder(descriptor) ? KIND_FOLDER : KIND_FILE);
      view().setBigUint64(to + 8, ~0n & 0x1fffffffn, true);
      view().setBigUint64(to + 16, 0x1fffffffn, true);
      return WASI.SUCCESS;
    },
    fd_fdstat_set_flags: () => WASI.SUCCESS,
    fd_sync: () => WASI.SUCCESS,
    fd_close: descriptor => open.delete(descriptor) ? WASI.SUCCESS : WASI.BADF,
    fd_read: (descriptor, buffers, count, done) =>
      withFile(descriptor, state => { state.at = read(state.file, state.at, buffers, count, done); }),
    fd_pread: (descriptor, buffers, count, from, done) =>
      withFile(descriptor, state => { read(state.file, Number(from), buffers, count, done); }),
    fd_write: (descriptor, buffers, count, done) =>
      withFile(descriptor, state => { state.at = write(state.file, state.at, buffers, count, done); }),
    fd_pwrite: (descriptor, buffers, count, from, done) =>
      withFile(descriptor, state => { write(state.file, Number(from), buffers, count, done); }),
    fd_seek: (descriptor, by, whence, to) => withFile(descriptor, state => {
      state.at = Number(by) + [0, state.at, state.file.size][whence];
      view().setBigUint64(to, BigInt(state.at), true);
    }),
    fd_filestat_get: (descriptor, to) => isFolder(descriptor) ? (putStat(to, KIND_FOLDER, 0), WASI.SUCCESS) :
      withFile(descriptor, state => putStat(to, KIND_FILE, state.file.size)),
    fd_filestat_set_size: (descriptor, size) => withFile(descriptor, state => resize(state.file, Number(size))),
    fd_readdir: () => WASI.NOSYS,

    path_open: (folder, follow, at, size, flags, rights, inheriting, fdflags, to) => {
      const path = pathAt(at, size), create = flags & 1, exclusive = flags & 4, truncate = flags & 8;
      if (files.has(path) && create && exclusive) return WASI.EXIST;
      if (path && !files.has(path) && !create) return WASI.NOENT;
      if (path && !files.has(path)) files.set(path, {bytes: new Uint8Array(1024), size: 0});
      if (truncate) resize(files.get(path), 0);
      let descriptor = FIRST_FILE;
      while (open.has(descriptor)) descriptor++;
      open.set(descriptor, path ? {file: files.get(path), at: 0} : null);
      view().setUint32(to, descriptor, true);
      return WASI.SUCCESS;
    },
    path_filestat_get: (folder, flags, at, size, to) => {
      const path = pathAt(at, size), file = files.get(path);
      if (!file && path) return WASI.NOENT;
      putStat(to, file ? KIND_FILE : KIND_FOLDER, file ? file.size : 0);
      return WASI.SUCCESS;
    },
    path_rename: (from, at, size, to, newAt, newSize) => {
      const path = pathAt(at, size), file = files.get(path);
      if (!file) return WASI.NOENT;
      files.delete(path);
      files.set(pathAt(newAt, newSize), file);
      return WASI.SUCCESS;
    },
    path_unlink_file: (folder, at, size) => files.delete(pathAt(at, size)) ? WASI.SUCCESS : WASI.NOENT,
    path_create_directory: () => WASI.NOSYS,
    path_remove_directory: () => WASI.NOSYS,
  };
};

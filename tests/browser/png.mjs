// png.mjs - the pixels of a PNG file as browsers write screenshots: 8 bits, RGB or RGBA, not interlaced.
import {inflateSync} from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function paeth(a, b, c) {
  const p = a + b - c, pa = Math.abs(p - a), pb = Math.abs(p - b), pc = Math.abs(p - c);
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

// Undoes the filter of each line (PNG specification, section 9).
function unfilter(bytes, stride, channels) {
  const lines = bytes.length / (stride + 1), out = Buffer.alloc(lines * stride);
  for (let y = 0; y < lines; y++) {
    const filter = bytes[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x >= channels ? out[at - channels] : 0, up = y ? out[at - stride] : 0;
      const corner = y && x >= channels ? out[at - stride - channels] : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      out[at] = bytes[y * (stride + 1) + 1 + x] + guess;
    }
  }
  return out;
}

// {width, height, channels, pixels}
export function decodePng(file) {
  if (!file.subarray(0, 8).equals(SIGNATURE))
    throw new Error('no PNG file');
  const width = file.readUInt32BE(16), height = file.readUInt32BE(20);
  const [bits, colour, , , interlaced] = file.subarray(24, 29);
  const channels = {2: 3, 6: 4}[colour];
  if (bits !== 8 || !channels || interlaced)
    throw new Error('a kind of PNG file that is not read here');
  const parts = [];
  for (let at = 8; at < file.length;) {
    const size = file.readUInt32BE(at);
    if (file.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(file.subarray(at + 8, at + 8 + size));
    at += size + 12;
  }
  return {width, height, channels, pixels: unfilter(inflateSync(Buffer.concat(parts)), width * channels, channels)};
}

// How many colours a picture has, which is the most frequent ([r, g, b]), and the share of the pixels that have it.
export function colours({width, height, channels, pixels}) {
  const counts = new Map();
  for (let at = 0; at < pixels.length; at += channels) {
    const colour = pixels.readUIntBE(at, 3);
    counts.set(colour, (counts.get(colour) || 0) + 1);
  }
  const [colour, most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
  const ground = [colour >> 16, (colour >> 8) & 255, colour & 255];
  return {count: counts.size, ground, share: most / (width * height)};
}

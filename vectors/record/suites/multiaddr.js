'use strict';

const { Suite } = require('../suite');

// A value for each protocol, by its size in bits (-1: with a length in front) or by name. Of two
// the SDK takes hex, the length with it.
const VALUES = { 0: '', 16: '/4001', 32: '/10.0.0.1', 128: '/2001:db8::7', '-1': '/a.example' };
const NAMED = {
  ip6zone: '/0465746830',
  ipfs: '/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ',
  p2p: '/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ',
  onion: '/timaq4ygg2iegci7:80',
  onion3: '/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234',
  garlic64: '/0461626364',
};

const ABOUT = 'Multiaddresses as the SDK stores and shows them (chain.md §4.5). write: text → bytes; read: bytes → text.';

const CIDS = [
  'QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ',
  'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o',
  'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
  '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA',
  'bafkreidgvpkjawlxz6sffxzwgooowe5yt7i6wsyg236mfoks77nywkptdq',
  'zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA',
];

const port = (random) => random.pick([0, 1, 80, 443, 8080, 65535, random.below(65536)]);
const ip4 = (random) => Array.from({ length: 4 }, () => random.below(256)).join('.');
const ip6 = (random) =>
  random.pick(['::1', '::', '2001:db8::1', 'fe80::1:2:3', '2001:db8:0:0:1:0:0:1', Array.from({ length: 8 }, () => random.below(65536).toString(16)).join(':'), '1:0:0:2:0:0:0:3', '::ffff:1.2.3.4']);
const name = (random) => random.pick(['example.com', 'a.b.c', 'localhost', 'xn--bcher-kva.example', 'ipfs.io', 'bücher.example', 'x']);

/** One component; the last of an address may be anything. */
const PARTS = [
  (random) => `/ip4/${ip4(random)}`,
  (random) => `/ip6/${ip6(random)}`,
  (random) => `/tcp/${port(random)}`,
  (random) => `/udp/${port(random)}`,
  (random) => `/${random.pick(['dccp', 'sctp'])}/${port(random)}`,
  (random) => `/${random.pick(['dns', 'dns4', 'dns6', 'dnsaddr'])}/${name(random)}`,
  (random) => `/${random.pick(['http', 'https', 'ws', 'wss', 'quic', 'utp', 'udt', 'p2p-circuit', 'p2p-webrtc-star', 'p2p-webrtc-direct', 'p2p-stardust', 'p2p-websocket-star'])}`,
  (random) => `/${random.pick(['ipfs', 'p2p'])}/${random.pick(CIDS)}`,
  () => '/memory/test',
  () => '/unix/tmp/a.sock',
];

const ODD = [
  '/', '//', ' ', '  /ip4/1.2.3.4  ', '/ip4/1.2.3.4/', '//ip4//1.2.3.4', 'ip4/1.2.3.4', 'docker.io/iexechub/vanityeth:1.1.1', 'https://example.org/a', 'example.org/a/b:1',
  '/foo', '/foo/bar', '/ip4', '/ip4/', '/ip4/999.1.1.1/tcp/80', '/ip4/1.2.3', '/ip4/01.2.3.4', '/ip6/zz', '/ip6/1.2.3.4', '/ipfs/Qm', '/ipfs/', '/ipfs', '/p2p/foo',
  '/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ/file.txt', '/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ/tcp/80', '/tcp', '/IP4/1.2.3.4', '/dns4/', '/unix/', '/unix', '/unix/a/b//c',
  '/http/80', '/tcp/80/foo', 'é', '日本', '/dns4/日本', '/ip4/1.2.3.4\n', '/garlic64/x', '/onion/aaimaq4ygg2iegci:80', '/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234',
  '/ip4/127.0.0.1/udp/1234', '/dns6/example.com/tcp/80/http', '/ip6zone/x/ip6/fe80::1', '/certhash/x', '/0/x', '/4/1.2.3.4', '/constructor', '/p2p/1', '/p2p/Q', '/ipfs/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA',
];
// a port that is no number from 0 to 65535 makes the text "no multiaddr" (chain.md §4.5, FIX)
const PORTS = ['/ip4/1.2.3.4/tcp/99999', '/ip4/1.2.3.4/tcp/65536', '/ip4/1.2.3.4/udp/abc', '/tcp/-1', '/tcp/1e3', '/tcp/80x', '/tcp/0x50', '/tcp/1.5'];

/** Whether a port in the text is anything but a decimal number up to 65535. */
function badPort(text) {
  const words = text.trim().split('/unix/')[0].split('/').filter(Boolean);
  return words.some((word, at) => ['tcp', 'udp', 'dccp', 'sctp'].includes(words[at - 1]) && !(/^\d{1,5}$/.test(word) && Number(word) < 65536));
}

const utf8 = (text) => `0x${Buffer.from(text, 'utf8').toString('hex')}`;
const printable = (hex) => /^[\x20-\x7e]+$/.test(Buffer.from(hex.slice(2), 'hex').toString('latin1'));

module.exports = async (sdk, random) => {
  const suite = new Suite('multiaddr', ABOUT, ['iexec', 'multiaddr']);
  const { humanToMultiaddrBuffer, multiaddrHexToHuman } = sdk.common('utils/utils');
  const write = (text) => `0x${humanToMultiaddrBuffer(text, { strict: false }).toString('hex')}`;

  const reads = new Set();
  const texts = new Set(ODD);
  while (texts.size < 350) {
    const parts = Array.from({ length: random.between(1, 4) }, () => random.pick(PARTS)(random));
    let text = parts.join('');
    if (random.chance(20)) {
      const at = random.below(text.length);
      text = text.slice(0, at) + random.pick(['', '/', 'x', '0', '.', ' ']) + text.slice(at + random.below(3));
    }
    texts.add(text);
  }
  for (const text of texts) {
    if (text.trim() === '') continue;
    const bytes = write(text);
    reads.add(bytes);
    if (badPort(text) && bytes !== utf8(text)) {
      suite.differ('write', { text }, { value: bytes }, { value: utf8(text) }, 'a port that is not 0–65535 in decimal: no multiaddr');
    } else suite.good('write', { text, bytes });
  }
  for (const text of PORTS) {
    suite.differ('write', { text }, { value: write(text) }, { value: utf8(text) }, 'a port that is not 0–65535 in decimal: no multiaddr');
  }
  for (let index = 0; index < 150; index += 1) {
    const base = Buffer.from(random.pick([...reads]).slice(2), 'hex');
    const cut = base.subarray(0, random.below(base.length + 1));
    const flipped = Buffer.from(base);
    if (flipped.length) flipped[random.below(flipped.length)] ^= 1 << random.below(8);
    reads.add(`0x${random.pick([cut, flipped, random.bytes(random.below(12))]).toString('hex')}`);
  }
  ['0x0401', '0x04010101', '0x0600', '0x35036162', '0x350361'].forEach((bytes) => reads.add(bytes));
  ['example.org', '5', '!a', ')0123456789abcdef', '5 abcdefghijklmnopqrstuvwxyz12345', '8!x'].forEach((text) => reads.add(utf8(text)));
  for (const bytes of reads) {
    const text = multiaddrHexToHuman(bytes);
    if (bytes === '0x') suite.differ('read', { bytes }, { value: text }, { value: '' }, 'an unset multiaddress is empty, not "/"');
    else if (printable(bytes) && utf8(text) !== bytes) {
      suite.differ('read', { bytes }, { value: text }, { value: Buffer.from(bytes.slice(2), 'hex').toString() }, 'bytes that are all printable text are text (pitfalls.md)');
    } else suite.good('read', { bytes, text });
  }
  everyProtocol(sdk).concat(everyBase(sdk), everyHash(sdk)).forEach((text) => {
    const bytes = write(text);
    suite.good('write', { text, bytes });
    if (bytes !== utf8(text) && !reads.has(bytes)) suite.good('read', { bytes, text: multiaddrHexToHuman(bytes) });
    reads.add(bytes);
  });
  for (const text of ['', '/', '//']) suite.good('write', { text, bytes: write(text) });
  return suite;
};

/** Each line of the table of the package, alone. */
function everyProtocol(sdk) {
  const { table } = sdk.from('multiaddr').protocols;
  return table.map(([, size, name]) => `/${name}${name in NAMED ? NAMED[name] : VALUES[size]}`);
}

/** One content address in every base, twice: the second has all digits of a base in it. */
function everyBase(sdk) {
  const CID = sdk.from('cids');
  const { names } = sdk.from('multibase');
  const digests = [Buffer.alloc(32, 7), Buffer.from('000108310518720928b30d38f4114935db65d7b9cbe1db9ef3de7bf0c1feffff', 'hex')];
  const found = [];
  digests.forEach((digest) => {
    const cid = new CID(1, 'raw', Buffer.concat([Buffer.from([0x12, 32]), digest]));
    Object.keys(names).filter((name) => name !== 'identity').forEach((name) => found.push(`/ipfs/${cid.toString(name)}`));
  });
  return found;
}

/** The first and last of each run of known hash functions, and the numbers beside them. */
function everyHash(sdk) {
  const { isValidCode } = sdk.from('multihashes');
  const { encode } = sdk.from('varint');
  const base32 = sdk.from('multibase').names.base32;
  const edges = [];
  for (let code = 0; code < 0x10000; code += 1) {
    if (isValidCode(code) !== isValidCode(code + 1)) edges.push(code, code + 1);
  }
  return [...new Set(edges)].map((code) => {
    const cid = Buffer.from([1, 0x55, ...encode(code), 4, 1, 2, 3, 4]);
    return `/ipfs/b${base32.encode(cid)}`;
  });
}

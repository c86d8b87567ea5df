'use strict';

const { Suite } = require('../suite');
const { randomType, valueOf } = require('./values_abi');

const ABOUT = 'ABI coding of random types by ethers. code: types and values ↔ data. encode: values that do not fit; decode: data that is too short or points outside.';

module.exports = async (sdk, random) => {
  const suite = new Suite('abi', ABOUT, ['ethers']);
  const { ethers } = sdk;
  const { ParamType, defaultAbiCoder: coder } = ethers.utils;

  for (let index = 0; index < 300; index += 1) {
    const types = Array.from({ length: random.between(0, 4) }, () => ParamType.from(randomType(random)));
    const values = types.map((type) => valueOf(random, ethers, type));
    const data = coder.encode(types, values);
    if (data.length > 6000) continue;
    const names = types.map((type) => type.format());
    suite.good('code', { types: names, values, data });
    const size = (data.length - 2) / 2;
    if (size === 0) continue;
    // an offset or a length that leads outside, and data that ends early
    const word = 32 * random.below(size / 32);
    const far = data.slice(0, 2 + 2 * word) + random.pick(['f'.repeat(64), `${'0'.repeat(48)}${'7'.repeat(16)}`]) + data.slice(2 + 2 * word + 64);
    for (const broken of [data.slice(0, 2 + 2 * random.below(size)), far]) {
      try {
        read(coder, types, broken);
      } catch (error) {
        const reason = error.reason || error.message;
        // ethers refuses text that is no UTF-8; that is told below
        if (/codepoint/.test(reason)) continue;
        // the padding behind the last bytes or text may be missing: nothing is lost with it
        if (broken.padEnd(data.length, '0') === data && broken !== data) {
          suite.differ('decode', { types: names, data: broken }, { error: reason }, { value: values, or: 'error' }, 'missing padding at the very end costs nothing; missing zeros of a value do');
        } else suite.bad('decode', { types: names, data: broken }, reason);
      }
    }
  }

  for (const hex of ['ff', '68c3', 'c328', 'e28228', 'f0288c28', 'eda080', '80', 'f8a1a1a1a1', '6100ff62', 'c0af', 'fffe4100']) {
    const data = coder.encode(['bytes'], [`0x${hex}`]);
    const js = attempt(() => coder.decode(['string'], data)[0]);
    const ours = [Buffer.from(hex, 'hex').toString()];
    if ('value' in js) throw Error(`${hex} is UTF-8`);
    suite.differ('decode', { types: ['string'], data }, js, { value: ours }, 'text on chain is free bytes: what is no UTF-8 is shown as U+FFFD');
  }

  const misfits = [
    ['uint8', '256'], ['uint8', '-1'], ['uint256', `${1n << 256n}`], ['int8', '128'], ['int8', '-129'], ['int256', `${1n << 255n}`],
    ['address', '0x00'], ['address', '0xzz'], ['bytes4', '0x000000'], ['bytes4', '0x0000000000'], ['bytes32', '0x'],
    ['uint256[2]', ['1']], ['uint256[2]', ['1', '2', '3']], ['uint256[]', '5'], ['tuple(uint256,bool)', ['1']], ['tuple(uint256,bool)', ['1', true, true]],
  ];
  for (const [type, value] of misfits) {
    try {
      coder.encode([type], [value]);
      throw Error('accepted');
    } catch (error) {
      if (error.message === 'accepted') throw Error(`ethers encodes ${value} as ${type}`);
      suite.bad('encode', { types: [ParamType.from(type).format()], values: [value] }, error.reason || error.message);
    }
  }
  for (const type of ['uint257', 'uint7', 'uint0', 'int264', 'bytes33', 'bytes0', 'foo', '', 'uint256[', 'uint256]', '(uint256', 'uint256)', 'tuple', 'uint256[-1]', 'uint256[x]', 'address payable payable', 'uint 256', 'bytes32[0x2]']) {
    try {
      coder.encode([type], [[]]);
    } catch (error) {
      if (!/cannot convert|types\/values|expected array|invalid (arrayify|BigNumber|boolean)|incorrect data length/i.test(error.message)) suite.bad('type', { type }, error.reason || error.message);
    }
  }
  return suite;
};

function attempt(make) {
  try {
    return { value: make() };
  } catch (error) {
    return { error: error.reason || error.message };
  }
}

/** Decode, and touch everything: ethers reports what it cannot read only then. */
function read(coder, types, data) {
  const walk = (value) => (Array.isArray(value) ? value.forEach(walk) : String(value));
  walk(coder.decode(types, data));
}

'use strict';

const { Suite } = require('../suite');
const v = require('./values');

const ABOUT =
  'Signed transactions by ethers: legacy with and without EIP-155, type 1 (5.3.1) and type 2 (5.8.0). Integers are decimal text. ' +
  'digest is what was signed. invalid: bytes that ethers does not take for a signed transaction of any kind.';

module.exports = async (sdk, random) => {
  const suite = new Suite('transactions', ABOUT, ['ethers', 'ethers-typed']);
  const old = sdk.ethers;
  const typed = sdk.from('ethers-typed').ethers;
  const address = () => old.utils.getAddress(random.hex(20));
  const raws = [];

  for (let index = 0; index < 280; index += 1) {
    const kind = ['unprotected', 'legacy', 'type1', 'type2'][index % 4];
    const ethers = kind === 'type2' ? typed : old;
    const key = v.key(random);
    const size = random.pick([0, 0, 4, 36, 100, random.below(300)]);
    const fields = {
      nonce: Number(random.uint(random.pick([4, 20, 48]))),
      gas: `${random.uint(40)}`,
      to: random.chance(8) ? null : address(),
      value: `${random.pick([0n, random.uint(90), random.uint(256)])}`,
      data: random.hex(size),
      chainId: kind === 'unprotected' ? null : random.pick([1, 5, 133, 134, 42161, 421614, 65535, 31337, 2147483647, Number(random.uint(48)) + 1]),
    };
    const price = `${random.pick([0n, 1n, random.uint(50), random.uint(100)])}`;
    const tip = `${random.uint(40)}`;
    if (kind === 'type2') Object.assign(fields, { maxFeePerGas: `${BigInt(price) + BigInt(tip)}`, maxPriorityFeePerGas: tip });
    else fields.gasPrice = price;
    if (kind === 'type1' || kind === 'type2') {
      fields.accessList = Array.from({ length: random.pick([0, 0, 1, 3]) }, () => [address(), Array.from({ length: random.below(3) }, () => random.hex(32))]);
    }
    const request = {
      nonce: fields.nonce,
      gasLimit: ethers.BigNumber.from(fields.gas),
      value: ethers.BigNumber.from(fields.value),
      data: fields.data,
      ...(fields.to && { to: fields.to }),
      ...(fields.chainId && { chainId: fields.chainId }),
      ...(fields.gasPrice !== undefined && { gasPrice: ethers.BigNumber.from(fields.gasPrice) }),
      ...(kind === 'type1' && { type: 1, accessList: fields.accessList }),
      ...(kind === 'type2' && { type: 2, accessList: fields.accessList, maxFeePerGas: ethers.BigNumber.from(fields.maxFeePerGas), maxPriorityFeePerGas: ethers.BigNumber.from(fields.maxPriorityFeePerGas) }),
    };
    const digest = ethers.utils.keccak256(ethers.utils.serializeTransaction(request));
    const raw = await new ethers.Wallet(key).signTransaction(request);
    const back = ethers.utils.parseTransaction(raw);
    const from = ethers.utils.computeAddress(key);
    if (back.from !== from) throw Error('the sender is lost');
    suite.good('signed', { kind, key, ...fields, digest, raw, hash: back.hash, from });
    raws.push(raw);
  }

  const reject = (raw, about) => {
    if ([old, typed].every((ethers) => !signed(ethers, raw))) suite.bad('parse', { raw, about }, 'ethers sees no signed transaction');
  };
  ['0x', '0x00', '0x02', '0x01', '0x02c0', '0x01c0', '0xc0', '0xc180', `0x03${raws[3].slice(4)}`, '0x02ff', '0xf8', '0x80', `0x7f${raws[3].slice(4)}`].forEach((raw) => reject(raw, 'fragment'));
  for (let index = 0; index < 150; index += 1) {
    const raw = random.pick(raws);
    const size = (raw.length - 2) / 2;
    reject(raw.slice(0, 2 + 2 * random.below(size)), 'cut');
    reject(raw + random.hex(random.between(1, 40)).slice(2), 'longer');
    const at = 2 + 2 * random.below(Math.min(size, 12));
    reject(raw.slice(0, at) + random.hex(1).slice(2) + raw.slice(at + 2), 'a byte of the frame changed');
  }
  return suite;
};

function signed(ethers, raw) {
  try {
    return Boolean(ethers.utils.parseTransaction(raw).from);
  } catch {
    return false;
  }
}

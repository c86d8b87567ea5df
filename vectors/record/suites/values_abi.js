'use strict';

// Random values of ABI types, and their JSON form: addresses EIP-55, integers decimal text, bytes
// hex, tuples and arrays lists.

/** A random value for an ethers ParamType, in the form that both ethers and JSON take. */
function valueOf(random, ethers, type, depth = 0) {
  const { utils } = ethers;
  if (type.baseType === 'array') {
    const length = type.arrayLength === -1 ? random.below(depth > 1 ? 2 : 4) : type.arrayLength;
    return Array.from({ length }, () => valueOf(random, ethers, type.arrayChildren, depth + 1));
  }
  if (type.baseType === 'tuple') return type.components.map((one) => valueOf(random, ethers, one, depth + 1));
  if (type.type === 'address') return random.chance(15) ? `0x${'0'.repeat(40)}` : utils.getAddress(random.hex(20));
  if (type.type === 'bool') return random.chance(50);
  if (type.type === 'string') return random.chance(15) ? '' : random.text(40);
  if (type.type === 'bytes') return random.hex(random.pick([0, 1, 31, 32, 33, 65, random.below(100)]));
  const [, kind, size] = type.type.match(/^(u?int|bytes)(\d+)$/);
  if (kind === 'bytes') return random.chance(15) ? `0x${'0'.repeat(2 * size)}` : random.hex(Number(size));
  if (kind === 'uint') return `${random.chance(10) ? (1n << BigInt(size)) - 1n : random.uint(Number(size))}`;
  const magnitude = random.uint(Number(size) - 1);
  return `${random.chance(50) ? magnitude : -magnitude - 1n}`;
}

/** The JSON form of what ethers decoded. */
function plain(type, value) {
  if (type.baseType === 'array') return value.map((one) => plain(type.arrayChildren, one));
  if (type.baseType === 'tuple') return type.components.map((one, at) => plain(one, value[at]));
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  return value.toString();
}

/** A random type: atoms, arrays of fixed and any length, tuples. */
function randomType(random, depth = 0) {
  const atom = () =>
    random.pick(['address', 'bool', 'string', 'bytes', `uint${8 * random.between(1, 32)}`, `int${8 * random.between(1, 32)}`, `bytes${random.between(1, 32)}`, 'uint256', 'bytes32']);
  if (depth > 2 || random.chance(55)) return atom();
  if (random.chance(50)) return `${randomType(random, depth + 1)}${random.pick(['[]', '[]', `[${random.between(1, 3)}]`])}`;
  const members = Array.from({ length: random.between(1, 4) }, () => randomType(random, depth + 1));
  return `tuple(${members.join(',')})`;
}

module.exports = { plain, randomType, valueOf };

'use strict';

// Random values of the kinds that orders are made of, in the loose forms that the SDK accepts.

const H = '0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f';
const NULL_ADDRESS = '0x0000000000000000000000000000000000000000';
const MAX_UINT256 = (1n << 256n) - 1n;

// chain.md §1.2 and §1.6, and chains that nobody knows
const CHAINS = [
  [1, H],
  [5, H],
  [133, H],
  [134, H],
  [1, '0x0bf375A6238359CE14987C2285B8B099eE8e8709'],
  [5, '0x0bf375A6238359CE14987C2285B8B099eE8e8709'],
  [42161, '0x098bFCb1E50ebcA0BaA92C12eA0c3F045A1aD9f0'],
  [421614, '0xB2157BF2fAb286b2A4170E3491Ac39770111Da3E'],
  [65535, '0x7bd4783FDCAD405A28052a0d1f11236A741da593'],
  [2147483647, '0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A'],
  [9007199254740990, '0x1563915e194D8CfBA1943570603F7606A3115508'],
];

const PROXY = 'https://v6.result.bellecour.iex.ec';

/** An address in EIP-55, lower, upper-digit or bare form. */
function looseAddress(random, { utils }) {
  const address = utils.getAddress(random.hex(20));
  return random.pick([address, address, address.toLowerCase(), `0x${address.slice(2).toUpperCase()}`, address.slice(2).toLowerCase()]);
}

const address = (random, { utils }) => utils.getAddress(random.hex(20));

/** 32 bytes as hex: the key of an account. */
function key(random) {
  for (;;) {
    const hex = random.hex(32);
    if (BigInt(hex) > 0n && BigInt(hex) < (1n << 255n)) return hex;
  }
}

/** An amount of RLC in some accepted spelling. */
function looseRlc(random) {
  const n = random.uint(random.pick([8, 40, 80, 256]));
  const whole = random.uint(30);
  const fraction = random.uint(29) % 1000000000n;
  return random.pick([
    `${n}`,
    `${n}`,
    random.below(1e12),
    `${n} nRLC`,
    `${whole} RLC`,
    `${whole}.${`${fraction}`.padStart(9, '0')} RLC`,
    `0.${random.between(1, 999999999)} RLC`,
    `.${random.between(1, 999)} RLC`,
    `${whole + 1n}. RLC`,
    `000${n}`,
    [`${whole}`, 'RLC'],
    [`${whole}.5`, 'RLC'],
    [`${n}`, ''],
    [`${n}`],
  ]);
}

const looseUint = (random, bits = 256) => {
  const n = random.uint(bits);
  return random.pick([`${n}`, `${n}`, `00${n}`, random.below(1e9)]);
};

function looseTag(random) {
  const bits = random.hex(32);
  return random.pick([
    [],
    ['tee'],
    ['gpu'],
    ['tee', 'gpu'],
    ['gpu', 'tee', 'gpu'],
    'tee',
    'gpu',
    'tee,gpu',
    '',
    ',tee,',
    `0x${'0'.repeat(64)}`,
    bits,
    `0x${bits.slice(2).toUpperCase()}`,
    `0x${'0'.repeat(61)}101`,
  ]);
}

module.exports = { CHAINS, H, MAX_UINT256, NULL_ADDRESS, PROXY, address, key, looseAddress, looseRlc, looseTag, looseUint };

'use strict';

const { Suite } = require('../suite');
const v = require('./values');

const ABOUT =
  'Identifiers. deal: request order hash and first index → deal id; task: deal id and index → task id (SDK computeTaskId); ' +
  'address: text → EIP-55, as the SDK reads it; tokenAddress: registry token id → address; key: private key → public key, address.';

module.exports = async (sdk, random) => {
  const suite = new Suite('ids', ABOUT, ['iexec', 'ethers']);
  const { utils } = sdk.ethers;
  const { computeTaskId } = sdk.common('modules/deal');
  const { tokenIdToAddress } = { tokenIdToAddress: (id) => utils.getAddress(utils.hexZeroPad(utils.hexlify(BigInt(id)), 20)) };
  const addressOf = (text) => sdk.common('utils/validator').addressSchema().required().validate(text);

  for (let index = 0; index < 120; index += 1) {
    const n = random.pick([0n, 1n, BigInt(index), random.uint(32), random.uint(256)]);
    const hash = random.hex(32);
    suite.good('deal', { hash, index: `${n}`, dealid: utils.solidityKeccak256(['bytes32', 'uint256'], [hash, `${n}`]) });
    suite.good('task', { dealid: hash, index: `${n}`, taskid: await computeTaskId(hash, `${n}`) });
  }
  for (const [dealid, idx] of [['0x', '0'], ['foo', '0'], [random.hex(31), '0'], [random.hex(33), '0'], [random.hex(32), '-1'], [random.hex(32), 'x'], [random.hex(32), `${v.MAX_UINT256 + 1n}`], [null, '0'], [random.hex(32), null], [random.hex(32), '1.5']]) {
    await suite.judge('task', { dealid, index: idx }, () => computeTaskId(dealid, idx), 'taskid');
  }

  for (let index = 0; index < 120; index += 1) {
    const address = utils.getAddress(index < 8 ? `0x${'0'.repeat(39)}${index}` : random.hex(20));
    const digits = address.slice(2);
    for (const text of [address, address.toLowerCase(), `0x${digits.toUpperCase()}`, digits.toLowerCase(), digits.toUpperCase(), `0X${digits.toLowerCase()}`, `0X${digits.toUpperCase()}`, digits]) {
      if (index % 6 === 0 || text === address) suite.good('address', { text, address: await addressOf(text) });
    }
    const flipped = flipOne(random, digits);
    if (flipped !== digits && index % 3 === 0) {
      suite.differ('address', { text: `0x${flipped}` }, { value: await addressOf(`0x${flipped}`) }, { error: true }, 'a wrong mixed-case checksum is a typing mistake (api.md, cli.md B23)');
    }
    const id = BigInt(address);
    suite.good('tokenAddress', { id: `${id}`, address: tokenIdToAddress(id) });
    const key = v.key(random);
    suite.good('key', { key, publicKey: utils.computePublicKey(key), address: utils.computeAddress(key) });
  }
  const a = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';
  for (const text of ['', '0x', a.slice(0, -1), `${a}0`, ` ${a}`, `${a} `, `${a}\n`, a.replace('5', 'g'), 'foo.eth', 'XE73EU7CBFCJJQJR2DS3CUQC4Y3LUDL5NV1', null, 5, true, {}, [], [a], '00'.repeat(20).slice(1), `0x0x${a.slice(2)}`, `-${a}`, a.replace('0x', '0y'), '０ｘ5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed']) {
    await suite.judge('address', { text }, () => addressOf(text), 'address');
  }
  for (const key of ['0x', '0x00', `0x${'00'.repeat(32)}`, `0x${'ff'.repeat(32)}`, '0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141', `0x${'11'.repeat(31)}`, `0x${'11'.repeat(33)}`, 'foo', `0x${'zz'.repeat(32)}`]) {
    await suite.judge('key', { key }, () => new sdk.ethers.Wallet(key).address, 'address').catch(() => {});
  }
  // short keys are padded by JavaScript: a mistake that makes another account
  suite.valid.key = suite.valid.key.filter((item) => {
    if (item.publicKey) return true;
    suite.differ('key', { key: item.key }, { value: item.address }, { error: true }, item.key.length === 66 ? 'a private key is below the order of the curve' : 'a private key has 32 bytes');
    return false;
  });
  return suite;
};

/** The address with the case of one letter changed. */
function flipOne(random, digits) {
  const letters = [...digits].map((char, at) => [char, at]).filter(([char]) => /[a-f]/i.test(char));
  if (letters.length < 3) return digits;
  const [char, at] = random.pick(letters);
  const other = char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase();
  const result = digits.slice(0, at) + other + digits.slice(at + 1);
  return result === result.toLowerCase() || result === result.toUpperCase() ? digits : result;
}

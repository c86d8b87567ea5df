'use strict';

const crypto = require('crypto');
const { Suite } = require('../suite');
const v = require('./values');

const ABOUT =
  'Web3 keystores (services.md §7.2). encrypt: key, password and every random part → the file of ethers Wallet.encrypt. ' +
  'decrypt: files of ethers, and of other programs (pbkdf2, lower-case member names) that ethers opens.';

const PASSWORDS = ['x', '', 'correct horse battery staple', 'pässwörd', 'e\u0301', '\u212b\uff21\ufb01', '😀🔑', '密码', ' spaced ', 'tab\t', '0'.repeat(100)];
const BAD = ['invalid password', 'address mismatch'];

const COSTS = [
  [2, 1, 1], [4, 8, 1], [16, 8, 2], [64, 1, 8], [256, 8, 1], [1024, 8, 1], [1024, 1, 1], [4096, 8, 1], [8192, 1, 8], [8192, 1, 8], [8192, 8, 1],
];

const uuid = (random) => [...random.bytes(16)];

module.exports = async (sdk, random) => {
  const suite = new Suite('keystores', ABOUT, ['ethers']);
  const { Wallet, utils } = sdk.ethers;
  const keep = async (file, password, key, lenient) => {
    const text = JSON.stringify(file);
    let wallet;
    try {
      wallet = await Wallet.fromEncryptedJson(text, password);
    } catch (error) {
      suite.differ('decrypt', { keystore: text, password }, { error: error.message }, { value: key }, lenient);
      return;
    }
    if (wallet.privateKey !== key) throw Error('the file holds another key');
    suite.good('decrypt', { keystore: text, password, key, address: wallet.address });
  };
  const refuse = async (keystore, password, why) => {
    let reason;
    try {
      await Wallet.fromEncryptedJson(keystore, password);
    } catch (error) {
      reason = error.reason || error.message;
    }
    if (!reason) return false;
    suite.bad('decrypt', { keystore, password, about: why }, reason);
    return true;
  };

  let cheap;
  for (let index = 0; index < 44; index += 1) {
    const [N, r, p] = COSTS[index % COSTS.length];
    const key = v.key(random);
    const password = PASSWORDS[index % PASSWORDS.length];
    const parts = { salt: random.hex(32), iv: random.hex(16), uuid: utils.hexlify(uuid(random)) };
    const file = JSON.parse(await new Wallet(key).encrypt(password, { ...parts, scrypt: { N, r, p } }));
    suite.good('encrypt', { key, password, n: N, r, p, ...parts, keystore: file });
    if (N <= 64) cheap = { key, password, file };
    if (index % 4 === 0) await keep(file, password, key);
  }
  const { key, password, file } = cheap;
  const lower = (changes = {}) => ({ version: 3, id: file.id, address: file.address, crypto: { ...file.Crypto, ...changes } });

  await keep(lower(), password, key);
  await keep({ ...lower(), address: `0x${file.address.toUpperCase()}` }, password, key);
  await keep({ ...lower(), address: undefined }, password, key);
  await keep({ VERSION: 3, CRYPTO: { Cipher: file.Crypto.cipher, CipherParams: { IV: file.Crypto.cipherparams.iv }, CipherText: file.Crypto.ciphertext, KDF: 'scrypt', KDFParams: { Salt: file.Crypto.kdfparams.salt, N: file.Crypto.kdfparams.n, DKLen: 32, P: file.Crypto.kdfparams.p, R: file.Crypto.kdfparams.r }, MAC: file.Crypto.mac } }, password, key, 'the names of all members are read in any case');
  await keep(lower({ kdf: 'SCRYPT' }), password, key);
  await keep(lower({ ciphertext: `0x${file.Crypto.ciphertext}`, mac: `0x${file.Crypto.mac}`, cipherparams: { iv: `0x${file.Crypto.cipherparams.iv}` } }), password, key, 'hex is read with and without 0x');
  await keep(lower({ ciphertext: file.Crypto.ciphertext.toUpperCase() }), password, key);
  for (let index = 0; index < 8; index += 1) {
    const other = v.key(random);
    const word = PASSWORDS[index];
    const prf = index % 2 ? 'hmac-sha512' : 'hmac-sha256';
    await keep(pbkdf2(random, sdk, other, word.normalize('NFKC'), prf, random.between(1, 3000)), word, other);
  }

  // geth hashes the password as it is typed; ethers normalises first and then cannot open these
  for (const word of ['\u212b\uff21\ufb01', 'e\u0301', '\uff11\uff12']) {
    const other = v.key(random);
    const raw = pbkdf2(random, sdk, other, word, 'hmac-sha256', 10);
    const text = JSON.stringify(raw);
    const error = await Wallet.fromEncryptedJson(text, word).then(() => { throw Error('opened'); }, (reason) => reason.message);
    suite.differ('decrypt', { keystore: text, password: word }, { error }, { value: other }, 'a password that geth did not normalise (pitfalls.md)');
  }

  const json = (value) => JSON.stringify(value);
  await refuse(json(file), `${password}x`, BAD[0]);
  await refuse(json(file), password.toUpperCase() === password ? `${password}!` : password.toUpperCase(), BAD[0]);
  await refuse(json({ ...file, address: '00'.repeat(20) }), password, BAD[1]);
  const broken = [
    [{ ...file, version: 1 }, 'version'],
    [{ ...file, version: 4 }, 'version'],
    [{ ...file, version: '3' }, 'version'],
    [{ ...file, version: undefined }, 'version'],
    [{ ...file, Crypto: undefined }, 'no crypto'],
    [lower({ mac: '00'.repeat(32) }), 'mac'],
    [lower({ mac: undefined }), 'mac'],
    [lower({ ciphertext: file.Crypto.ciphertext.slice(2) }), 'ciphertext cut'],
    [lower({ ciphertext: undefined }), 'no ciphertext'],
    [lower({ ciphertext: 'zz' }), 'ciphertext is no hex'],
    [lower({ cipher: 'aes-128-cbc' }), 'cipher'],
    [lower({ cipher: undefined }), 'cipher'],
    [lower({ kdf: 'bcrypt' }), 'kdf'],
    [lower({ kdf: undefined }), 'kdf'],
    [lower({ kdfparams: undefined }), 'kdfparams'],
    [lower({ kdfparams: { ...file.Crypto.kdfparams, n: 3 } }), 'n is no power of two'],
    [lower({ kdfparams: { ...file.Crypto.kdfparams, n: 0 } }), 'n is zero'],
    [lower({ kdfparams: { ...file.Crypto.kdfparams, n: -2 } }), 'n is negative'],
    [lower({ kdfparams: { ...file.Crypto.kdfparams, r: 0 } }), 'r is zero'],
    [lower({ kdfparams: { ...file.Crypto.kdfparams, p: 0 } }), 'p is zero'],
    [lower({ kdfparams: { ...file.Crypto.kdfparams, dklen: 16 } }), 'dklen'],
    [lower({ kdfparams: { ...file.Crypto.kdfparams, salt: 'zz' } }), 'salt is no hex'],
    [lower({ cipherparams: undefined }), 'no iv'],
    [lower({ cipherparams: { iv: '00' } }), 'iv is short'],
    [lower({ kdf: 'pbkdf2', kdfparams: { salt: '00', c: 10, dklen: 32, prf: 'hmac-md5' } }), 'prf'],
    [lower({ kdf: 'pbkdf2', kdfparams: { salt: '00', c: 10, dklen: 32 } }), 'prf'],
    [lower({ kdf: 'pbkdf2', kdfparams: { salt: '00', c: 10, dklen: 16, prf: 'hmac-sha256' } }), 'dklen'],
  ];
  for (const [value, why] of broken) await refuse(json(value), password, why);
  for (const text of ['', '{}', '[]', 'null', 'foo', '{"version":3}', '5', '"x"', `${json(file).slice(0, -5)}`]) await refuse(text, password, 'not a keystore');
  return suite;
};

/** A keystore as geth's --lightkdf ancestors and eth-account write it. */
function pbkdf2(random, { ethers }, key, password, prf, c) {
  const salt = random.bytes(32);
  const iv = random.bytes(16);
  const derived = crypto.pbkdf2Sync(Buffer.from(password, 'utf8'), salt, c, 32, prf.replace('hmac-', ''));
  const cipher = crypto.createCipheriv('aes-128-ctr', derived.subarray(0, 16), iv);
  const ciphertext = Buffer.concat([cipher.update(Buffer.from(key.slice(2), 'hex')), cipher.final()]);
  const mac = ethers.utils.keccak256(Buffer.concat([derived.subarray(16), ciphertext])).slice(2);
  return {
    address: ethers.utils.computeAddress(key).slice(2).toLowerCase(),
    crypto: {
      cipher: 'aes-128-ctr',
      cipherparams: { iv: iv.toString('hex') },
      ciphertext: ciphertext.toString('hex'),
      kdf: 'pbkdf2',
      kdfparams: { c, dklen: 32, prf, salt: salt.toString('hex') },
      mac,
    },
    id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
    version: 3,
  };
}

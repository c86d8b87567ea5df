'use strict';

const crypto = require('crypto');
const { Suite } = require('../suite');

const ABOUT =
  'Dataset encryption and AES-ECB (services.md §6). dataset: plain text (hex, or `size` bytes of i mod 251), key, iv → the encrypted file ' +
  '(hex, or its sha256 when long) and its checksum. decrypt: files that must not open. key: texts that are no key. ecb: one block or more.';

const SIZES = [0, 1, 5, 15, 16, 17, 31, 32, 33, 47, 48, 255, 256, 1000, 4095, 4096, 4097];
const pattern = (size) => Buffer.from(Array.from({ length: size }, (_, index) => index % 251));

module.exports = async (sdk, random) => {
  const suite = new Suite('ciphers', ABOUT, ['iexec', 'aes-js']);
  const { encryptAes256Cbc, sha256Sum, generateAes256Key } = sdk.common('utils/encryption-utils');

  for (let index = 0; index < 90; index += 1) {
    const size = index < SIZES.length ? SIZES[index] : random.below(300);
    const plain = size > 300 ? pattern(size) : random.bytes(size);
    const key = generateAes256Key();
    const file = await encryptAes256Cbc(plain, key);
    const checksum = await sha256Sum(file);
    const about = size > 300 ? { size } : { plain: `0x${plain.toString('hex')}`, file: `0x${file.toString('hex')}` };
    suite.good('dataset', { key, iv: `0x${file.subarray(0, 16).toString('hex')}`, ...about, checksum });
  }
  for (const size of [65536, 1048576, 1048577]) {
    const key = generateAes256Key();
    const file = await encryptAes256Cbc(pattern(size), key);
    suite.good('dataset', { key, iv: `0x${file.subarray(0, 16).toString('hex')}`, size, checksum: await sha256Sum(file) });
  }

  const key = generateAes256Key();
  const raw = Buffer.from(key, 'base64');
  const file = await encryptAes256Cbc(Buffer.from('a dataset of forty bytes, more or less.'), key);
  const open = (data, secret) => {
    const cipher = crypto.createDecipheriv('aes-256-cbc', secret, data.subarray(0, 16));
    return Buffer.concat([cipher.update(data.subarray(16)), cipher.final()]);
  };
  const cuts = [0, 1, 15, 16, 17, 31, file.length - 1, file.length - 16];
  const wrong = cuts.map((size) => [file.subarray(0, size), raw]);
  wrong.push([Buffer.concat([file, Buffer.from([0])]), raw]);
  for (let index = 0; index < 30; index += 1) wrong.push([file, random.bytes(32)], [Buffer.concat([random.bytes(16), random.bytes(16 * random.between(1, 4))]), raw]);
  wrong.push([padded(raw, random, 0), raw], [padded(raw, random, 17), raw], [mixed(raw, random), raw]);
  for (const [data, secret] of wrong) {
    try {
      open(data, secret);
    } catch (error) {
      suite.bad('decrypt', { file: `0x${data.toString('hex')}`, key: secret.toString('base64') }, error.message);
    }
  }

  // Node decodes base64 loosely (chain.md §12): only the canonical 44 characters are a key
  const texts = ['', 'foo', key.slice(0, -4), key.slice(0, 40), '0x00', 5, null, [], {}, ...[16, 31, 33].map((size) => Buffer.alloc(size).toString('base64'))];
  texts.push(key.slice(0, -1), ` ${key}`, `${key}\n`, `${key.slice(0, 20)} ${key.slice(20)}`, `${key}=`, `${key}AAAA`);
  texts.push(Buffer.alloc(32, 0xfb).toString('base64url'), `${Buffer.alloc(32).toString('base64').slice(0, -2)}B=`);
  for (const value of texts) {
    const reason = await encryptAes256Cbc(Buffer.from('x'), value).then(() => '', (error) => error.message);
    if (reason) suite.bad('key', { key: value }, reason);
    else suite.differ('key', { key: value }, { value: true }, { error: true }, 'base64 is read strictly: the canonical 44 characters');
  }

  for (let index = 0; index < 60; index += 1) {
    const bits = random.pick([128, 128, 192, 256]);
    const secret = random.bytes(bits / 8);
    const plain = random.bytes(16 * random.between(1, 4));
    const cipher = crypto.createCipheriv(`aes-${bits}-ecb`, secret, null).setAutoPadding(false);
    const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
    const { ModeOfOperation } = sdk.from('iexec/node_modules/aes-js');
    if (Buffer.compare(Buffer.from(new ModeOfOperation.ecb(secret).encrypt(plain)), encrypted)) throw Error('aes-js and OpenSSL disagree');
    suite.good('ecb', { key: `0x${secret.toString('hex')}`, plain: `0x${plain.toString('hex')}`, cipher: `0x${encrypted.toString('hex')}` });
  }
  return suite;
};

/** One encrypted block whose last bytes say `count`. */
function padded(key, random, count) {
  return encryptBlock(key, random, Buffer.alloc(16, count));
}

/** … whose padding bytes are not all equal. */
function mixed(key, random) {
  return encryptBlock(key, random, Buffer.concat([Buffer.alloc(13, 7), Buffer.from([1, 3, 3])]));
}

function encryptBlock(key, random, block) {
  const iv = random.bytes(16);
  const cipher = crypto.createCipheriv('aes-256-cbc', key, iv).setAutoPadding(false);
  return Buffer.concat([iv, cipher.update(block), cipher.final()]);
}

'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { Suite } = require('../suite');

const ABOUT =
  'Encrypted result archives (services.md §6.3, §9.6; today.md §2.6), base64, for the keys test-only-rsa-*.pem. inner: what comes out (hex). ' +
  '`opens` lists the SDK generations that opened it while recording. invalid: archives that must not open.';

const FOLDER = path.join(__dirname, '..', '..', 'results');
const NAMES = { key: 'aes-key.rsa', payload: 'iexec_out.zip.aes' };

/** The committed key; made once, when it is not there. */
function testKey(name) {
  const file = path.join(FOLDER, `test-only-rsa-${name}.pem`);
  if (!fs.existsSync(file)) {
    fs.mkdirSync(FOLDER, { recursive: true });
    const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });
    fs.writeFileSync(file, privateKey);
  }
  return fs.readFileSync(file, 'utf8');
}

/** RSAES-PKCS1-v1_5 with padding from the random stream: the same bytes in every run. */
function rsaEncrypt(random, privatePem, data) {
  const size = 256;
  const filler = Array.from({ length: size - 3 - data.length }, () => random.between(1, 255));
  const block = Buffer.concat([Buffer.from([0, 2, ...filler, 0]), data]);
  return crypto.publicEncrypt({ key: crypto.createPublicKey(privatePem), padding: crypto.constants.RSA_NO_PADDING }, block);
}

function aes(mode, key, iv, data, pad = true) {
  const cipher = crypto.createCipheriv(`aes-${key.length * 8}-${mode}`, key, iv).setAutoPadding(pad);
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

module.exports = async (sdk, random) => {
  const suite = new Suite('results', ABOUT, ['iexec', 'iexec-9', 'jszip']);
  const JSZip = sdk.from('jszip');
  const right = testKey('2048');
  const wrong = testKey('2048-other');
  const v6 = (archive, key) => sdk.utils.decryptResult(archive, key);
  const today = (await sdk.v9()).result;
  const v9 = (archive, key) => today.decryptResult(archive, key);

  const zip = async (entries, compression = 'DEFLATE') => {
    const archive = new JSZip();
    Object.entries(entries).forEach(([name, data]) => archive.file(name, data, { date: new Date(Date.UTC(2021, 0, 1)), createFolders: false }));
    return archive.generateAsync({ type: 'nodebuffer', compression, platform: 'UNIX' });
  };
  const inner = async (size) =>
    zip({ 'computed.json': JSON.stringify({ 'deterministic-output-path': '/iexec_out/result.txt' }), 'result.txt': random.bytes(size) }, 'STORE');

  /** entries of an archive; both choices (how the key is wrapped, how the payload is made) are free. */
  const entries = (data, { wrapped, payload, bytes, breaks = false }) => {
    const secret = random.bytes(bytes);
    const lines = (text) => (breaks ? text.replace(/.{76}/g, '$&\r\n') : text);
    const sealed = wrapped === 'base64' ? Buffer.from(lines(rsaEncrypt(random, right, Buffer.from(secret.toString('base64'))).toString('base64'))) : rsaEncrypt(random, right, secret);
    const iv = random.bytes(16);
    const body = payload === 'ecb' ? Buffer.from(lines(aes('ecb', secret, null, data).toString('base64'))) : Buffer.concat([iv, aes('cbc', secret, iv, data)]);
    return { [NAMES.key]: sealed, [NAMES.payload]: body };
  };

  const keep = async (group, archive, expected, must) => {
    const opens = [];
    for (const [name, open] of [['v6', v6], ['v9', v9]]) {
      const found = await open(archive, right).catch(() => undefined);
      if (found && Buffer.compare(found, expected) === 0) opens.push(name);
    }
    if (!opens.includes(must)) throw Error(`${group}: ${must} does not open it`);
    suite.good(group, { archive: archive.toString('base64'), inner: `0x${expected.toString('hex')}`, opens });
  };

  for (let index = 0; index < 16; index += 1) {
    const data = await inner(random.below(200));
    await keep('v6', await zip(entries(data, { wrapped: 'base64', payload: 'ecb', bytes: 16, breaks: index % 4 === 3 })), data, 'v6');
    await keep('v9', await zip(entries(data, { wrapped: 'raw', payload: 'cbc', bytes: 32 }), index % 2 ? 'STORE' : 'DEFLATE'), data, 'v9');
  }
  for (const bytes of [24, 32]) {
    const data = await inner(20);
    await keep('v6', await zip(entries(data, { wrapped: 'base64', payload: 'ecb', bytes })), data, 'v6');
  }
  const data = await inner(30);
  await keep('mixed', await zip(entries(data, { wrapped: 'base64', payload: 'cbc', bytes: 32 })), data, 'v9');
  await keep('mixed', await zip(entries(data, { wrapped: 'raw', payload: 'ecb', bytes: 16 })), data, 'v9');
  await keep('mixed', await zip({ 'other.txt': 'ignored', ...entries(data, { wrapped: 'base64', payload: 'ecb', bytes: 16 }) }), data, 'v6');
  await keep('mixed', await zip({ ...entries(data, { wrapped: 'raw', payload: 'cbc', bytes: 32 }), 'folder/other.txt': 'ignored' }), data, 'v9');

  const old = entries(data, { wrapped: 'base64', payload: 'ecb', bytes: 16 });
  const fresh = entries(data, { wrapped: 'raw', payload: 'cbc', bytes: 32 });
  const sealText = (text) => Buffer.from(rsaEncrypt(random, right, Buffer.from(text)).toString('base64'));
  const broken = [
    ['not a zip', Buffer.from('hello')],
    ['empty', Buffer.alloc(0)],
    ['cut zip', (await zip(old)).subarray(0, 300)],
    ['empty zip', await zip({})],
    ['no key', await zip({ [NAMES.payload]: old[NAMES.payload] })],
    ['no payload', await zip({ [NAMES.key]: old[NAMES.key] })],
    ['no payload', await zip({ [NAMES.key]: fresh[NAMES.key] })],
    ['empty key', await zip({ ...old, [NAMES.key]: '' })],
    ['key of another size', await zip({ ...old, [NAMES.key]: Buffer.from('short').toString('base64') })],
    ['damaged key', await zip({ ...fresh, [NAMES.key]: random.bytes(256) })],
    ['key text of no AES length', await zip({ ...old, [NAMES.key]: sealText(random.bytes(15).toString('base64')) })],
    ['empty key text', await zip({ ...old, [NAMES.key]: sealText('') })],
    ['names of other case', await zip({ 'AES-KEY.RSA': old[NAMES.key], [NAMES.payload]: old[NAMES.payload] })],
  ];
  for (const [about, archive] of broken) {
    const reason = await v6(archive, right).then(() => 'opened', (error) => error.message);
    const reason9 = await v9(archive, right).then(() => 'opened', (error) => error.message);
    if (reason === 'opened' && reason9 === 'opened') throw Error(`${about} opens`);
    suite.bad('archive', { about, archive: archive.toString('base64'), key: 'right' }, reason === 'opened' ? reason9 : reason);
  }
  for (const [about, archive] of [['V6 archive, wrong key', await zip(old)], ['V9 archive, wrong key', await zip(fresh)]]) {
    const open = about.startsWith('V6') ? v6 : v9;
    suite.bad('archive', { about, archive: archive.toString('base64'), key: 'wrong' }, await open(archive, wrong).then(() => { throw Error('opened'); }, (error) => error.message));
    suite.bad('archive', { about: about.replace('wrong', 'unusable'), archive: archive.toString('base64'), key: 'none' }, await open(archive, 'foo').then(() => { throw Error('opened'); }, (error) => error.message));
  }

  // the padding that JavaScript does not look at (pitfalls.md, today.md D14)
  const secret = random.bytes(16);
  const seal = sealText(secret.toString('base64'));
  const ecb = (block) => Buffer.from(aes('ecb', secret, null, block, false).toString('base64'));
  const unchecked = [
    ['padding of 0', { [NAMES.key]: seal, [NAMES.payload]: ecb(Buffer.alloc(32, 0)) }],
    ['padding of 17', { [NAMES.key]: seal, [NAMES.payload]: ecb(Buffer.alloc(32, 17)) }],
    ['padding bytes differ', { [NAMES.key]: seal, [NAMES.payload]: ecb(Buffer.concat([Buffer.alloc(29, 9), Buffer.from([1, 3, 3])])) }],
    ['encrypted under another key', { [NAMES.key]: seal, [NAMES.payload]: Buffer.from(aes('ecb', random.bytes(16), null, data).toString('base64')) }],
    ['empty payload', { [NAMES.key]: fresh[NAMES.key], [NAMES.payload]: Buffer.alloc(0) }],
    ['cut payload', { [NAMES.key]: fresh[NAMES.key], [NAMES.payload]: fresh[NAMES.payload].subarray(0, 48) }],
  ];
  for (const [about, files] of unchecked) {
    const archive = await zip(files);
    const open = files[NAMES.key] === seal ? v6 : v9;
    const js = await open(archive, right).then((found) => ({ value: `0x${found.toString('hex')}` }), (error) => ({ error: error.message }));
    const item = { about, archive: archive.toString('base64'), key: 'right' };
    if ('value' in js) suite.differ('archive', item, js, { error: true }, 'JavaScript does not verify the padding');
    else suite.bad('archive', item, js.error);
  }
  return suite;
};

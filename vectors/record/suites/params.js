'use strict';

const { Suite } = require('../suite');
const v = require('./values');

const ABOUT =
  'The params of a request order (chain.md §7.4, today.md §1.4). create6, create9: what is given → the text that is signed; ' +
  'proxy null: no result proxy is known. check6, check9: the strict check of a text before it is signed or bought.';

const TEE = `0x${'0'.repeat(63)}1`;
const CALLBACK = '0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A';
const tagOf = (tee) => (tee ? TEE : `0x${'0'.repeat(64)}`);
const callbackOf = (callback) => (callback ? CALLBACK : v.NULL_ADDRESS);

const CID = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';
const CID1 = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';

// values by key: the first list is mostly accepted, the second mostly not
const VALUES = {
  iexec_args: [['--help', '', 'héllo ☃ 😀', 5, 0, -1, 1.5, 1e21, 1e-7, 123456789012, true, false, "quote \" ' \\ /", 'line\nbreak\ttab\u0000\u001f\u007f\u2028'], [null, [], {}, ['a']]],
  iexec_input_files: [
    [[], ['https://example.org/a.txt'], ['http://example.org', 'https://example.org/x?y=z#w'], ['https://user@example.org:8080/%20/é'], ['ftp://example.org/f'], ['HTTPS://EXAMPLE.ORG/A']],
    [['foo'], ['https://localhost/a'], ['https://example.org/a', 'foo'], 'https://example.org/a,https://example.org/b', 'https://example.org', [5], [null], [''], ['https://300.1.1.1/'], ['https://exa mple.org/'], ['https://[::1]/'], {}, 5, null],
  ],
  iexec_result_encryption: [[true, false, 'true', 'false', 'TRUE', 'False', 1, 0, '1', '0'], ['yes', 2, '', null, [], {}, 'truee']],
  iexec_result_storage_provider: [['ipfs', 'dropbox'], ['foo', '', 'IPFS', 5, null, []]],
  iexec_result_storage_proxy: [['https://proxy.example.org', 'anything', 'http://localhost:3000'], ['', 5, null]],
  iexec_developer_logger: [[true, false, 'true', 1], ['x', null]],
  bulk_cid: [[CID, CID1], ['foo', '', 5, null]],
  iexec_secrets: [[{ 1: 'login' }, { 2: 'b', 1: 'a' }, { 10: 'x', 9: 'y' }, {}], [{ 0: 'a' }, { '01': 'a' }, { a: 'b' }, { 1: 5 }, { 1: null }, [], 'x', null]],
  unknown: [[], ['dropped', 1, null]],
};

const KEYS6 = ['iexec_args', 'iexec_input_files', 'iexec_result_encryption', 'iexec_result_storage_provider', 'iexec_result_storage_proxy', 'iexec_developer_logger'];
const KEYS9 = ['iexec_args', 'iexec_input_files', 'iexec_result_encryption', 'iexec_result_storage_provider', 'bulk_cid', 'iexec_secrets'];

/** A params object with members in a random order; about half of them are flawless. */
function params(random, keys) {
  const flawed = random.chance(35);
  const names = random.shuffle(random.some(keys, random.pick([15, 40, 80])));
  if (random.chance(8)) names.splice(random.below(names.length + 1), 0, 'unknown');
  const result = {};
  names.forEach((name) => {
    const [good, bad] = VALUES[name];
    result[name] = random.pick(good.length === 0 || (flawed && random.chance(35)) ? bad : good);
    if (name === 'iexec_args' && random.chance(50)) result[name] = random.text(60);
  });
  return result;
}

/** The same thing as an object, as JSON or as text that is no JSON. */
function shape(random, keys) {
  const object = params(random, keys);
  if (random.chance(55)) return object;
  if (random.chance(80)) return random.pick([JSON.stringify(object), JSON.stringify(object, null, 2), ` ${JSON.stringify(object)}\n`]);
  return random.pick(['', 'hello world', '--a b', '{not json', '{"a":1,}', "{'a':1}", 'NaN', 'nothing', random.text(30), 'true or false']);
}

/** The text to check: mostly with the members that a finished order cannot lack. */
function complete(random, given, needed) {
  if (typeof given === 'string') return given;
  return JSON.stringify(random.chance(65) ? { ...given, ...needed } : given);
}

const isText = (value) => typeof value === 'string';

module.exports = async (sdk, random) => {
  const suite = new Suite('params', ABOUT, ['iexec', 'iexec-9']);
  const v6 = sdk.common('modules/request-helper').createObjParams;
  const v9 = (await sdk.v9()).helper.createObjParams;

  const create6 = (item) =>
    item && v6({ params: item.params, tag: tagOf(item.tee), callback: callbackOf(item.callback), resultProxyURL: item.proxy === null ? undefined : item.proxy }).then(JSON.stringify);
  const create9 = (item) => v9({ params: item.params, tag: tagOf(item.tee), callback: callbackOf(item.callback) }).then(JSON.stringify);
  const check6 = (item) => v6({ params: item.text, tag: tagOf(item.tee), callback: callbackOf(item.callback), noCast: true }).then(() => true);
  const check9 = (item) => v9({ params: item.text, tag: tagOf(item.tee), callback: callbackOf(item.callback), noCast: true }).then(() => true);

  for (let index = 0; index < 600; index += 1) {
    const where = { tee: random.chance(40), callback: random.chance(15) };
    const item = { params: shape(random, KEYS6), ...where, proxy: random.chance(10) ? null : v.PROXY };
    if (wanted(item.params)) await suite.judge('create6', item, () => create6(item), 'text');
    const text = complete(random, item.params, { iexec_result_storage_provider: 'ipfs', iexec_result_storage_proxy: v.PROXY });
    if (wanted(item.params)) await suite.judge('check6', { text, ...where }, () => check6({ text, ...where }), 'accepted');
    const today = { params: shape(random, KEYS9), ...where };
    if (wanted(today.params)) await suite.judge('create9', today, () => create9(today), 'text');
    const todayText = complete(random, today.params, { iexec_result_storage_provider: 'ipfs' });
    if (wanted(today.params)) await suite.judge('check9', { text: todayText, ...where }, () => check9({ text: todayText, ...where }), 'accepted');
  }

  for (const text of ['{"iexec_args":"\\ud800"}', '{"iexec_args":"\\ud83d\\ude00"}', '{"iexec_args":"a","iexec_args":"b"}', '{"iexec_args":1.50}', '{"iexec_args":-0}', '{"iexec_args":100000000000000000000000}', '{"iexec_args":0.1}', '{"iexec_args":1E5}', '{"iexec_args":5e-324}', '{"iexec_args":123e-20}', '{"iexec_args":1.7976931348623157e308}']) {
    const item = { params: text, tee: false, callback: false, proxy: v.PROXY };
    await suite.judge('create6', item, () => create6(item), 'text');
    await suite.judge('create9', { params: text, tee: false, callback: false }, () => create9(item), 'text');
  }

  for (const text of ['{"iexec_args":1e400}', '{"iexec_args":12345678901234567890}', '{"iexec_args":-1e999}', '{"iexec_args":9007199254740993}']) {
    const item = { params: text, tee: false, callback: false, proxy: v.PROXY };
    suite.differ('create6', item, { value: await create6(item) }, { error: true }, 'a number that JavaScript cannot hold exactly is not what was meant');
  }

  // text that is JSON, but no object: JavaScript refuses it, we take it as the arguments
  for (const text of ['5', 'null', 'true', '[1, 2]', '[]', '-1.5', '""']) {
    const item = { params: text, tee: false, callback: false, proxy: v.PROXY };
    const error = await create6(item).then(() => { throw Error('accepted'); }, (reason) => reason.message);
    const ours = JSON.stringify({ iexec_result_storage_provider: 'ipfs', iexec_result_storage_proxy: v.PROXY, iexec_args: text });
    suite.differ('create6', item, { error }, { value: ours }, 'text that is JSON of another kind is meant as arguments (chain.md §7.4)');
  }
  for (const value of [5, true, [], ['a'], 1.5]) {
    await suite.judge('create6', { params: value, tee: false, callback: false, proxy: v.PROXY }, () => create6({ params: value, proxy: v.PROXY }), 'text');
  }
  // defects of V9 that we mend (today.md §6, D13 and D28)
  for (const [text, accepted, why] of [
    ['{"iexec_result_storage_provider":"ipfs","iexec_secrets":{"1":""}}', false, 'an empty secret name cannot be provisioned (D13)'],
    ['{"iexec_result_storage_provider":"ipfs","iexec_secrets":{"1":null}}', false, 'a secret name is text (D13)'],
    ['{"iexec_result_storage_provider":"ipfs","iexec_result_storage_proxy":"https://v6.result.bellecour.iex.ec"}', true, 'orders signed by V6 carry retired keys (D28)'],
    ['{"iexec_result_storage_provider":"ipfs","iexec_developer_logger":true}', true, 'orders signed by V6 carry retired keys (D28)'],
  ]) {
    const item = { text, tee: true, callback: false };
    const js = await check9(item).then(() => ({ value: true }), (error) => ({ error: error.message }));
    if (('value' in js) === accepted) throw Error(`V9 agrees about ${text}`);
    suite.differ('check9', item, js, accepted ? { value: true } : { error: true }, why);
  }
  dropTold(suite);
  return suite;

  /** Leave out what the cases above say in full. */
  function wanted(value) {
    if (!isText(value)) return true;
    try {
      const parsed = JSON.parse(value);
      return parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed);
    } catch {
      return true;
    }
  }
};

/** Accidents of V9 about members that are told once, in skips. */
function dropTold(suite) {
  const told = (item) => /"iexec_secrets":\s*\{\s*"1":\s*(""|null)/.test(item.text || '');
  suite.valid.check9 = suite.valid.check9.filter((item) => !told(item));
  suite.valid.create9 = suite.valid.create9.filter((item) => !told(item));
  const retired = (item) => /Unknown key "(iexec_result_storage_proxy|iexec_developer_logger)/.test(item.reason);
  suite.invalid.check9 = suite.invalid.check9.filter((item) => !retired(item));
}

'use strict';

const { Suite } = require('../suite');
const v = require('./values');

const ABOUT =
  'Tags (chain.md §7.3, §13.1; today.md §3). The digit of a group is the SDK generation. encode: names → tag; decode: tag → names; ' +
  'sum: OR; missing: bit numbers of `required` that `tag` lacks (6: from 1, 9: from 0); parse: loose input of an order field; ' +
  'in parse9 `mode` is strict, agnostic or dataset.';

const ZERO = `0x${'0'.repeat(64)}`;
const hex = (n) => `0x${n.toString(16).padStart(64, '0')}`;

function someTag(random) {
  const few = () => hex(random.some([0n, 1n, 2n, 3n, 8n, 255n].map((bit) => 1n << bit), 40).reduce((sum, bit) => sum | bit, 0n));
  return random.pick([ZERO, few(), few(), few(), random.hex(32), hex(1n << BigInt(random.below(256)))]);
}

const refuse = () => {
  throw Error('refused');
};

const NAMES6 = ['tee', 'gpu', ''];
const NAMES9 = ['tee', 'gpu', 'scone', 'gramine', 'tdx', ''];
const WRONG = ['foo', 'TEE', ' tee', 'tee ', '1', '9', 'constructor', 'toString', '0x01'];

module.exports = async (sdk, random) => {
  const suite = new Suite('tags', ABOUT, ['iexec', 'iexec-9']);
  const six = { utils: sdk.common('utils/utils'), parse: (value) => sdk.common('utils/validator').tagSchema().validate(value) };
  const today = await sdk.v9();
  const modes = {
    strict: {},
    agnostic: { allowAgnosticTee: true },
    dataset: { allowAgnosticTee: true, ignoreLegacyTeeFramework: true },
  };

  // what V6 refuses: the names of later generations, and capital digits
  const LATER = 'the tag names of all generations are known on every network (chain.md §13.1)';
  const CAPITALS = 'hex digits count in either case';
  const TWICE = 'a list within a list is a mistake';
  const judge = async (group, item, make, ours, why, key) => {
    let js;
    try {
      js = { value: await make() };
    } catch (error) {
      js = { error: error.message };
    }
    const value = await Promise.resolve().then(ours).then((one) => ({ value: one }), () => ({ error: true }));
    if ('value' in js) suite.good(group, { ...item, [key]: js.value });
    else if ('value' in value) suite.differ(group, item, js, value, why);
    else suite.bad(group, item, js.error);
  };
  const lower = (tag) => (typeof tag === 'string' ? tag.toLowerCase() : tag);

  for (let index = 0; index < 200; index += 1) {
    for (const [digit, utils, known] of [[6, six.utils, NAMES6], [9, today.utils, NAMES9]]) {
      const names = Array.from({ length: random.below(5) }, () => (random.chance(6) ? random.pick(WRONG) : random.pick(known)));
      if (index < 100) await suite.judge(`encode${digit}`, { names }, () => utils.encodeTag(names), 'tag');
      const tag = someTag(random);
      await judge(`decode${digit}`, { tag }, () => utils.decodeTag(tag), () => today.utils.decodeTag(tag), LATER, 'names');
      const tags = Array.from({ length: random.below(5) }, () => someTag(random));
      const sum = utils.sumTags(tags);
      const exact = hex(tags.reduce((total, one) => total | BigInt(one), 0n));
      if (sum === exact) suite.good(`sum${digit}`, { tags, tag: sum });
      else suite.differ(`sum${digit}`, { tags }, { value: sum }, { value: exact }, 'sumTags of V6 forgets bit 256 (chain.md §15, 6)');
      const required = someTag(random);
      suite.good(`missing${digit}`, { tag, required, bits: utils.findMissingBitsInTag(tag, required) });
    }
  }
  for (const tag of ['', '0x', ZERO.slice(0, -1), `${ZERO}0`, 'tee', `0x${'A'.repeat(64)}`, `0X${'0'.repeat(64)}`, null, 1, ZERO.slice(2), `${ZERO}\n`]) {
    for (const [digit, utils] of [[6, six.utils], [9, today.utils]]) {
      const small = lower(tag);
      await judge(`decode${digit}`, { tag }, () => utils.decodeTag(tag), () => utils.decodeTag(small), CAPITALS, 'names');
      await judge(`sum${digit}`, { tags: [tag] }, () => utils.sumTags([tag]), () => today.utils.sumTags([small]), CAPITALS, 'tag');
      await judge(`missing${digit}`, { tag, required: ZERO }, () => utils.findMissingBitsInTag(tag, ZERO), () => utils.findMissingBitsInTag(small, ZERO), CAPITALS, 'bits');
      await judge(`missing${digit}`, { tag: ZERO, required: tag }, () => utils.findMissingBitsInTag(ZERO, tag), () => utils.findMissingBitsInTag(ZERO, small), CAPITALS, 'bits');
    }
  }
  const loose = [
    [], '', 'tee', 'gpu', 'tee,gpu', 'gpu,tee', ',', 'tee,', 'tee, gpu', 'tee gpu', 'TEE', 'foo', 'tee,foo', ['tee', 'foo'], ['tee', ''], [''], ['tee,gpu'], [1], [null], [['tee']],
    'tdx', 'tee,tdx', 'tee,tdx,gpu', 'tee,scone', 'scone', 'gramine', 'tee,gramine,tdx', ['tee', 'tdx'], ['tdx', 'gpu'], ['tee', 'scone', 'tdx'],
    ZERO, ZERO.toUpperCase(), '0x', '0x1', `${ZERO}0`, `0x${'G'.repeat(64)}`, hex(0x109n), hex(0x9n), hex(0x8n), hex(0x3n), hex(0xbn), hex(0xdn), hex(0x100n), hex(0x5n), hex(0xfn), hex(1n << 255n), hex(0x6n), hex(0xen),
    `0X${'0'.repeat(63)}1`, `0x${'F'.repeat(64)}`, 5, 0, true, null, {}, { tee: true }, ' ', ` ${ZERO}`, `${ZERO} `,
  ];
  for (let index = 0; index < 100; index += 1) loose.push(v.looseTag(random), someTag(random));
  for (const value of loose) {
    const nested = JSON.stringify(value) === '[["tee"]]';
    const later = () => today.utils.encodeTag(typeof value === 'string' ? value.split(',') : value);
    if (nested) suite.differ('parse6', { value }, { value: await six.parse(value) }, { error: true }, TWICE);
    else await judge('parse6', { value }, () => six.parse(value), Array.isArray(value) || typeof value === 'string' ? later : refuse, LATER, 'tag');
    for (const [mode, options] of Object.entries(modes)) {
      if (!nested) await suite.judge('parse9', { value, mode }, () => today.validator.tagSchema(options).validate(value), 'tag');
    }
  }
  return suite;
};

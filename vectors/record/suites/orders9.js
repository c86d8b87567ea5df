'use strict';

const { Suite } = require('../suite');
const { KINDS, input } = require('./orders');
const v = require('./values');

const ABOUT =
  'Orders by SDK V9 (today.md §3): create forces the tag tee+tdx; sign forces it again. create: loose input → created order, signed order, hash, ' +
  'signed with `key` on (chainId, hub). sign: from an order that was not created.';

const LENIENT = { allowAgnosticTee: true, ignoreLegacyTeeFramework: true };
const WITNESS = { 42161: v.CHAINS[6][1], 421614: v.CHAINS[7][1] };

module.exports = async (sdk, random) => {
  const suite = new Suite('orders9', ABOUT, ['iexec-9']);
  const v9 = await sdk.v9();
  const { ethers } = sdk;
  const hexTag = (bits) => `0x${bits.toString(16).padStart(64, '0')}`;
  const tags = [undefined, undefined, [], 'tee,tdx', ['tee', 'tdx', 'gpu'], 'gpu', 'tee', 'tdx', 'tee,scone', 'gramine', 'foo', hexTag(0x9n), hexTag(0x109n), hexTag(0xbn), hexTag(0xdn), hexTag(0x1n), hexTag(1n << 200n)];
  const paramsOf = () =>
    random.pick([undefined, {}, { iexec_args: random.text(40) }, random.text(30), { iexec_secrets: { 2: 'b', 1: 'a' }, iexec_args: 'x' }, JSON.stringify({ iexec_args: random.text(20) }), { iexec_result_storage_provider: 'dropbox' }, { bulk_cid: 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o' }]);

  for (let index = 0; index < 240; index += 1) {
    const kind = KINDS[index % 4];
    const chainId = random.pick([42161, 421614]);
    const where = { chainId, hub: WITNESS[chainId], key: v.key(random) };
    const api = v9.client(where);
    const create = input(random, ethers, kind, ethers.utils.computeAddress(where.key));
    delete create.tag;
    const tag = random.pick(tags);
    if (tag !== undefined) create.tag = tag;
    if (kind === 'requestorder') {
      delete create.params;
      const params = paramsOf();
      if (params !== undefined) create.params = params;
    }
    let created;
    try {
      created = await api.create(kind, create);
    } catch (error) {
      if (!/must be used with/.test(error.message)) {
        suite.bad('create', { kind, chainId, create }, error.message);
        continue;
      }
      // the tag is incomplete, and complete once the network's own is added
      const whole = BigInt(await v9.validator.tagSchema(LENIENT).validate(create.tag).catch(() => hexTag(0x8n))) | 9n;
      const { params, ...order } = await api.create(kind, { ...create, tag: hexTag(whole) });
      const value = params === undefined ? order : { ...order, params: JSON.stringify(params) };
      suite.differ('create', { kind, chainId, create }, { error: error.message }, { value }, 'the forced tag is added first, the tag is judged after (today.md §3.3)');
      continue;
    }
    const signed = await api.sign(kind, created);
    suite.good('create', { kind, ...where, create, signed, hash: await api.hash(kind, signed) });
  }
  // signing what was made by hand: the forced tag is added; JavaScript refuses what adding would mend (D12)
  for (let index = 0; index < 40; index += 1) {
    const kind = KINDS[index % 4];
    const where = { chainId: 421614, hub: WITNESS[421614], key: v.key(random) };
    const api = v9.client(where);
    const signer = ethers.utils.computeAddress(where.key);
    const field = kind === 'requestorder' ? 'app' : kind.replace('order', '');
    const created = await api.create(kind, { [field]: v.address(random, ethers), category: '1', requester: signer });
    const order = { ...created, tag: random.pick([hexTag(0n), hexTag(0x9n), hexTag(0x100n), hexTag(0x109n)]) };
    const signed = await api.sign(kind, order);
    const given = kind === 'requestorder' ? { ...order, params: JSON.stringify(order.params) } : order;
    suite.good('sign', { kind, ...where, order: given, signed, hash: await api.hash(kind, signed) });
  }
  return suite;
};

'use strict';

const { Suite } = require('../suite');
const { orderApi } = require('../sdk');
const v = require('./values');

const ABOUT =
  'create: SDK create + sign + hash of loose input, signed with `key` on (chainId, hub), salt from the random stream; ' +
  `the result proxy is ${v.PROXY}. ` +
  'sign: the same from an order that was not created. recover: who signed, by ethers verifyTypedData.';

const KINDS = ['apporder', 'datasetorder', 'workerpoolorder', 'requestorder'];
const TYPES = { apporder: 'AppOrder', datasetorder: 'DatasetOrder', workerpoolorder: 'WorkerpoolOrder', requestorder: 'RequestOrder' };
const STRUCTS = {
  apporder: 'address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt',
  datasetorder: 'address dataset,uint256 datasetprice,uint256 volume,bytes32 tag,address apprestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt',
  workerpoolorder:
    'address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address apprestrict,address datasetrestrict,address requesterrestrict,bytes32 salt',
  requestorder:
    'address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,string params,bytes32 salt',
};
const membersOf = (kind) => STRUCTS[kind].split(',').map((field) => ({ type: field.split(' ')[0], name: field.split(' ')[1] }));
const domainOf = (chainId, hub) => ({ name: 'iExecODB', version: '5.0.0', chainId, verifyingContract: hub });

function looseParams(random) {
  const args = random.text(40);
  return random.pick([
    undefined,
    {},
    { iexec_args: args },
    JSON.stringify({ iexec_args: args }),
    random.chance(50) ? args : `--name ${args}`,
    { iexec_args: args, iexec_result_encryption: random.chance(50) },
    { iexec_result_storage_provider: 'ipfs', iexec_result_storage_proxy: 'https://proxy.example.org', iexec_args: args },
    { iexec_input_files: ['https://example.org/a.txt', 'http://example.org/b?c=d'], iexec_developer_logger: true },
  ]);
}

/** Loose input of create; fields with a default are often left out. */
function input(random, ethers, kind, signer) {
  const put = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const maybe = (value) => (random.chance(55) ? value : undefined);
  const restrict = () => (random.chance(30) ? v.looseAddress(random, ethers) : undefined);
  const common = { volume: maybe(v.looseUint(random)), tag: maybe(v.looseTag(random)) };
  switch (kind) {
    case 'apporder':
      return put({ app: v.looseAddress(random, ethers), appprice: maybe(v.looseRlc(random)), ...common, datasetrestrict: restrict(), workerpoolrestrict: restrict(), requesterrestrict: restrict() });
    case 'datasetorder':
      return put({ dataset: v.looseAddress(random, ethers), datasetprice: maybe(v.looseRlc(random)), ...common, apprestrict: restrict(), workerpoolrestrict: restrict(), requesterrestrict: restrict() });
    case 'workerpoolorder':
      return put({
        workerpool: v.looseAddress(random, ethers),
        workerpoolprice: maybe(v.looseRlc(random)),
        ...common,
        category: v.looseUint(random, 16),
        trust: maybe(v.looseUint(random)),
        apprestrict: restrict(),
        datasetrestrict: restrict(),
        requesterrestrict: restrict(),
      });
    default:
      return put({
        app: v.looseAddress(random, ethers),
        appmaxprice: maybe(v.looseRlc(random)),
        dataset: restrict(),
        datasetmaxprice: maybe(v.looseRlc(random)),
        workerpool: restrict(),
        workerpoolmaxprice: maybe(v.looseRlc(random)),
        requester: signer,
        beneficiary: restrict(),
        callback: restrict(),
        category: v.looseUint(random, 16),
        trust: maybe(v.looseUint(random)),
        ...common,
        params: looseParams(random),
      });
  }
}

/** Domain, key and client of one random account on one chain. */
function account(random, sdk, index) {
  const [chainId, hub] = v.CHAINS[index % v.CHAINS.length];
  const key = v.key(random);
  const iexec = sdk.client({ chainId, hub, key, proxy: v.PROXY });
  return { where: { chainId, hub, key }, signer: sdk.ethers.utils.computeAddress(key), api: orderApi(iexec) };
}

async function created(random, sdk, suite, kind, count) {
  for (let index = 0; suite.valid[kind] === undefined || suite.valid[kind].length < count; index += 1) {
    const { where, signer, api } = account(random, sdk, index);
    const create = input(random, sdk.ethers, kind, signer);
    let order;
    try {
      order = await api.create(kind, create);
    } catch (error) {
      suite.bad('create', { kind, create }, error.message);
      continue;
    }
    const signed = await api.sign(kind, order);
    suite.good(kind, { ...where, create, signed, hash: await api.hash(kind, signed) });
  }
}

/** Orders signed without create: the text of params is kept byte for byte (chain.md §2.5). */
async function signedDirectly(random, sdk, suite) {
  const texts = ['{}', 'null', '5', '[]', '"x"', '{ "iexec_args" : "x" }', '{"b":1,"a":[1.50,1e3]}', '{"é":"\\u00e9"}', '\n{"iexec_args":"x"}\t', '{"a":1,"a":2}'];
  for (let index = 0; index < texts.length * 2; index += 1) {
    const { where, signer, api } = account(random, sdk, index);
    const { params, ...rest } = await api.create('requestorder', { app: v.address(random, sdk.ethers), category: '1', requester: signer });
    const order = { ...rest, params: texts[index % texts.length], tag: v.looseTag(random), appmaxprice: v.looseRlc(random) };
    const signed = await api.sign('requestorder', order);
    suite.good('sign', { kind: 'requestorder', ...where, order, signed, hash: await api.hash('requestorder', signed) });
  }
  for (let index = 0; index < 30; index += 1) {
    const { where, api } = account(random, sdk, index);
    const kind = KINDS[index % 3];
    const plain = await api.create(kind, { [kind.replace('order', '')]: v.looseAddress(random, sdk.ethers), category: '3' });
    const order = { ...plain, tag: v.looseTag(random), [kind.replace('order', 'price')]: v.looseRlc(random), volume: v.looseUint(random) };
    const signed = await api.sign(kind, order);
    suite.good('sign', { kind, ...where, order, signed, hash: await api.hash(kind, signed) });
  }
}

/** Which members the schemas refuse: one fault in an otherwise good order. */
async function faulty(random, sdk, suite) {
  const { where, signer, api } = account(random, sdk, 3);
  const minimal = {
    apporder: { app: v.address(random, sdk.ethers) },
    datasetorder: { dataset: v.address(random, sdk.ethers) },
    workerpoolorder: { workerpool: v.address(random, sdk.ethers), category: '2' },
    requestorder: { app: v.address(random, sdk.ethers), category: '2', requester: signer },
  };
  const wrong = {
    address: ['foo', '0x', `0x${'1'.repeat(39)}`, `0x${'1'.repeat(41)}`, `0x${'g'.repeat(40)}`, 'foo.eth', null, 12, {}, [], `XE${'1'.repeat(38)}`, ` 0x${'1'.repeat(40)}`],
    price: ['-1', '1.5', 'abc', '5 rlc', '5  RLC', ' 5', '5 ', '0x10', '1e3', '1.0000000001 RLC', ['5', 'RLC', 'x'], null, {}, '1,5 RLC', '٣'],
    uint256: ['-1', '1.5', 'abc', '0x10', '1e3', ' 1', '1 ', null, {}, [], '1n', '٣'],
    bytes32: ['foo', 'tee,foo', 'TEE', '0x', `0x${'0'.repeat(63)}`, `0x${'0'.repeat(65)}`, `0x${'g'.repeat(64)}`, ['foo'], 5, null, {}],
    string: [],
  };
  const kindOf = (type, name) => (name.endsWith('price') ? 'price' : type);
  for (const kind of KINDS) {
    const full = await api.sign(kind, await api.create(kind, minimal[kind]));
    for (const { type, name } of membersOf(kind).filter((member) => member.name !== 'salt')) {
      for (const value of wrong[kindOf(type, name)]) {
        // null is nothing in Python, like undefined here: the default holds
        if (value === null && !(name in minimal[kind])) continue;
        if (value === null && name === 'requester') continue;
        const create = { ...minimal[kind], [name]: value };
        let accepted = false;
        try {
          await api.create(kind, create);
          accepted = true;
        } catch (error) {
          suite.bad('create', { kind, create }, error.message);
        }
        if (accepted) throw Error(`${kind} ${name} ${JSON.stringify(value)} is accepted`);
      }
      if (random.chance(40)) {
        const broken = { ...full, [name]: random.pick(wrong[kindOf(type, name)].concat(type === 'string' ? ['{', 'NaN', "{'a':1}", '', '\ufeff{}'] : [])) };
        await refused(suite, 'load', { kind, order: broken }, () => api.hash(kind, broken));
      }
      const { [name]: gone, ...missing } = full;
      if (name !== 'tag' && name !== 'params') await refused(suite, 'load', { kind, order: missing }, () => api.hash(kind, missing));
    }
    for (const salt of ['0x', 'foo', `0x${'0'.repeat(63)}`, null, undefined]) {
      const { salt: gone, ...rest } = full;
      const broken = salt === undefined ? rest : { ...rest, salt };
      await refused(suite, 'load', { kind, order: broken }, () => api.hash(kind, broken));
    }
  }
  for (const create of [{}, { category: '1', requester: signer }, { app: minimal.apporder.app, requester: signer }]) {
    await refused(suite, 'create', { kind: 'requestorder', create }, () => api.create('requestorder', create));
  }
  for (const create of [{}, { category: '1' }, { workerpool: minimal.workerpoolorder.workerpool }]) {
    await refused(suite, 'create', { kind: 'workerpoolorder', create }, () => api.create('workerpoolorder', create));
  }
  return { where, full: minimal };
}

async function refused(suite, group, item, run) {
  try {
    await run();
  } catch (error) {
    suite.bad(group, item, error.message || error);
    return;
  }
  throw Error(`${group}: JavaScript accepts ${JSON.stringify(item)}`);
}

/** The wrong wallet, and orders changed after they were signed. */
async function forged(random, sdk, suite) {
  const { utils } = sdk.ethers;
  for (let index = 0; index < 80; index += 1) {
    const kind = KINDS[index % 4];
    const { where, signer, api } = account(random, sdk, index);
    const create = { [kind === 'requestorder' ? 'app' : kind.replace('order', '')]: v.address(random, sdk.ethers), category: '1', requester: signer };
    const signed = await api.sign(kind, await api.create(kind, create));
    const member = random.pick(membersOf(kind).concat({ type: 'bytes', name: 'sign' }));
    const changed = { ...signed, [member.name]: change(random, sdk.ethers, member, signed[member.name]) };
    let found;
    try {
      found = utils.verifyTypedData(domainOf(where.chainId, where.hub), { [TYPES[kind]]: membersOf(kind) }, changed, changed.sign);
    } catch (error) {
      found = error.reason || error.message;
    }
    // ethers takes any odd v for 27; the contracts know 0, 1, 27 and 28 (chain.md §2.8)
    const reason = found === signer && changed.sign.endsWith('1d') ? 'ecrecover answers no account for v = 29' : `ethers recovers ${found}`;
    if (reason === `ethers recovers ${signer}`) throw Error(`${member.name}: the change did not matter`);
    suite.bad('signer', { kind, chainId: where.chainId, hub: where.hub, order: changed, signer }, reason);
  }
  for (const kind of KINDS) {
    const key = v.key(random);
    const owner = v.address(random, sdk.ethers);
    const api = orderApi(sdk.client({ chainId: 134, hub: v.H, key, owner, proxy: v.PROXY }));
    const order = await api.create(kind, { [kind === 'requestorder' ? 'app' : kind.replace('order', '')]: v.address(random, sdk.ethers), category: '1', requester: owner });
    await refused(suite, 'owner', { kind, chainId: 134, hub: v.H, key, owner, order: { ...order, params: '{}' } }, () => api.sign(kind, order));
  }
}

function change(random, { utils }, { type, name }, value) {
  if (name === 'sign') {
    const bytes = Buffer.from(value.slice(2), 'hex');
    bytes[random.below(64)] ^= 1 << random.below(8);
    return random.pick([`0x${bytes.toString('hex')}`, value.slice(0, -4), `${value}00`, '0x', `0x${'00'.repeat(65)}`, `${value.slice(0, -2)}1d`]);
  }
  if (type === 'address') return v.address(random, { utils });
  if (type === 'uint256') return `${BigInt(value) + 1n}`;
  if (type === 'bytes32') return random.hex(32);
  return `${value} `;
}

/** What JavaScript accepts and we refuse (pitfalls.md "Mend", chain.md §15). */
async function mended(random, sdk, suite) {
  const { where, signer, api } = account(random, sdk, 3);
  const app = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';
  const badChecksum = '0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';
  const refuse = { error: true };
  const list = [
    ['apporder', { app: badChecksum }, 'a wrong mixed-case checksum is a typing mistake'],
    ['apporder', { app, datasetrestrict: badChecksum }, 'a wrong mixed-case checksum is a typing mistake'],
    ['apporder', { app, appprice: '' }, "'' is not 0"],
    ['apporder', { app, volume: '' }, "'' is not 0"],
    ['apporder', { app, volume: `${v.MAX_UINT256 + 1n}` }, 'uint256 has an upper bound'],
    ['apporder', { app, appprice: `${v.MAX_UINT256 + 1n}` }, 'uint256 has an upper bound'],
    ['datasetorder', { dataset: app, datasetprice: `${v.MAX_UINT256} RLC` }, 'uint256 has an upper bound'],
    ['workerpoolorder', { workerpool: app, category: '' }, "'' is not 0"],
    ['workerpoolorder', { workerpool: app, category: '1', trust: `1${'0'.repeat(100)}` }, 'uint256 has an upper bound'],
    ['requestorder', { app, category: '1', requester: signer, appmaxprice: `${v.MAX_UINT256 + 1n}` }, 'uint256 has an upper bound'],
  ];
  for (const [kind, create, why] of list) {
    const order = await api.create(kind, create);
    suite.differ('create', { kind, create }, { value: order }, refuse, why);
  }
  // the documented default is nRLC with whole numbers; the shifted amounts of ethers 5.3 are not wanted
  for (const [price, exact] of [['1.5000000000 RLC', '1500000000'], ['0.1000000000000 RLC', '100000000']]) {
    const order = await api.create('apporder', { app, appprice: price });
    suite.differ('create', { kind: 'apporder', create: { app, appprice: price }}, { value: order }, { value: { ...order, appprice: exact }, or: 'error' }, 'zeros beyond the last decimal must not shift the amount: exact or refused');
  }
  const signed = await api.sign('apporder', await api.create('apporder', { app }));
  for (const sign of ['0xzz', '0x1', `${signed.sign} `, `${signed.sign}\n`]) {
    const order = { ...signed, sign };
    await sdk.common('utils/validator').signedApporderSchema().validate(order);
    suite.differ('load', { kind: 'apporder', order }, { value: order }, refuse, 'the signature pattern of JavaScript has no end');
  }
  const { tag, ...untagged } = signed;
  suite.differ('load', { kind: 'apporder', order: untagged }, { error: 'TypeError' }, refuse, 'a missing tag is reported, not a crash');
  const request = await api.sign('requestorder', await api.create('requestorder', { app, category: '1', requester: signer }));
  const { params, ...bare } = request;
  suite.differ('load', { kind: 'requestorder', order: bare }, { error: 'TypeError at hashing' }, refuse, 'params is a required field');
  return where;
}

module.exports = async (sdk, random) => {
  const suite = new Suite('orders', ABOUT, ['iexec', 'ethers', 'iexec-contracts-js-client', '@iexec/poco']);
  for (const kind of KINDS) await created(random, sdk, suite, kind, 210);
  await signedDirectly(random, sdk, suite);
  await faulty(random, sdk, suite);
  await forged(random, sdk, suite);
  await mended(random, sdk, suite);
  return suite;
};

Object.assign(module.exports, { KINDS, TYPES, account, domainOf, input, membersOf });

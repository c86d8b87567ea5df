'use strict';

const { Suite } = require('../suite');
const orders = require('./orders');
const v = require('./values');
const { valueOf } = require('./values_abi');

const ABOUT =
  'EIP-712 documents (the JSON of eth_signTypedData_v4) by ethers: digest, domain separator, hash of the message, signature of `key`. ' +
  'random: random types; order, operation: the orders of iExec and the operations on them; challenge: logins of the services.';

const FIELDS = { name: 'string', version: 'string', chainId: 'uint256', verifyingContract: 'address', salt: 'bytes32' };

module.exports = async (sdk, random) => {
  const suite = new Suite('typed', ABOUT, ['ethers']);
  const { ethers } = sdk;
  const { utils } = ethers;
  const Encoder = utils._TypedDataEncoder;

  const keep = async (group, domain, types, message) => {
    const key = v.key(random);
    const encoder = Encoder.from(types);
    const payload = Encoder.getPayload(domain, types, message);
    const document = { types: payload.types, domain: jsonDomain(domain), primaryType: payload.primaryType, message };
    const signature = await new ethers.Wallet(key)._signTypedData(domain, types, message);
    suite.good(group, {
      document,
      encodedType: encoder.encodeType(payload.primaryType),
      separator: Encoder.hashDomain(domain),
      structHash: encoder.hash(message),
      digest: Encoder.hash(domain, types, message),
      key,
      address: utils.computeAddress(key),
      signature,
    });
    return document;
  };

  const documents = [];
  for (let index = 0; index < 110; index += 1) {
    const types = randomTypes(random);
    const message = messageOf(random, ethers, types, Object.keys(types)[0]);
    documents.push(await keep('random', randomDomain(random, ethers), types, message));
  }
  for (let index = 0; index < 24; index += 1) {
    const kind = orders.KINDS[index % 4];
    const [chainId, hub] = v.CHAINS[index % v.CHAINS.length];
    const members = orders.membersOf(kind);
    const order = Object.fromEntries(members.map(({ type, name }) => [name, valueOf(random, ethers, utils.ParamType.from(type))]));
    const name = orders.TYPES[kind];
    documents.push(await keep('order', orders.domainOf(chainId, hub), { [name]: members }, order));
    const operation = { [`${name}Operation`]: [{ name: 'order', type: name }, { name: 'operation', type: 'uint256' }], [name]: members };
    documents.push(await keep('operation', orders.domainOf(chainId, hub), operation, { order, operation: String(index % 2) }));
  }
  for (let index = 0; index < 20; index += 1) {
    const gateway = index % 2;
    const domain = { name: gateway ? 'iExec Gateway' : 'iExec Result Repository', version: '1', chainId: gateway ? String(v.CHAINS[index % 8][0]) : v.CHAINS[index % 8][0] };
    const challenge = gateway ? `Sign this message to log into iExec Gateway: ${random.hex(16).slice(2)}` : random.bytes(32).toString('base64url');
    documents.push(await keep('challenge', domain, { Challenge: [{ name: 'challenge', type: 'string' }] }, { challenge }));
  }
  // the result proxy may send an empty verifyingContract that its own types do not list (services.md §3)
  const proxy = { name: 'iExec Result Repository', version: '1', chainId: 133 };
  const types = { Challenge: [{ name: 'challenge', type: 'string' }] };
  await keep('challenge', proxy, types, { challenge: 'abc' });
  suite.valid.challenge[suite.valid.challenge.length - 1].document.domain.verifyingContract = '';

  const order = documents.find((one) => one.primaryType === 'AppOrder');
  const breaks = [
    ['a member is missing', (one) => { delete one.message.app; }],
    ['a member is null', (one) => { one.message.app = null; }],
    ['an address is short', (one) => { one.message.app = one.message.app.slice(0, -2); }],
    ['an integer is negative', (one) => { one.message.volume = '-1'; }],
    ['an integer is too large', (one) => { one.message.volume = `${1n << 256n}`; }],
    ['an integer is text', (one) => { one.message.volume = 'many'; }],
    ['bytes32 is short', (one) => { one.message.tag = '0x00'; }],
    ['bytes32 is long', (one) => { one.message.tag += '00'; }],
    ['an unknown type', (one) => { one.types.AppOrder[0].type = 'adress'; }],
    ['an unknown struct', (one) => { one.types.AppOrder.push({ name: 'x', type: 'Missing' }); one.message.x = {}; }],
    ['a member twice', (one) => { one.types.AppOrder.push({ name: 'app', type: 'address' }); }],
    ['a struct within itself', (one) => { one.types.AppOrder.push({ name: 'x', type: 'AppOrder' }); one.message.x = {}; }],
    ['a domain address is short', (one) => { one.domain.verifyingContract = '0x00'; }],
    ['a chain id is text', (one) => { one.domain.chainId = 'one'; }],
    ['an odd integer type', (one) => { one.types.AppOrder[1].type = 'uint255'; }],
    ['bytes33', (one) => { one.types.AppOrder[3].type = 'bytes33'; one.message.tag += '00'; }],
    ['a fixed array of another length', (one) => { one.types.AppOrder.push({ name: 'x', type: 'uint256[2]' }); one.message.x = ['1']; }],
    ['an array is no list', (one) => { one.types.AppOrder.push({ name: 'x', type: 'uint256[]' }); one.message.x = '1'; }],
    ['bytes are no hex', (one) => { one.types.AppOrder.push({ name: 'x', type: 'bytes' }); one.message.x = 'foo'; }],
  ];
  breaks.forEach(([about, spoil]) => {
    const document = JSON.parse(JSON.stringify(order));
    spoil(document);
    const { EIP712Domain, ...rest } = document.types;
    try {
      Encoder.hash(document.domain, rest, document.message);
    } catch (error) {
      suite.bad('document', { about, document }, error.reason || error.message);
      return;
    }
    throw Error(`ethers accepts: ${about}`);
  });
  return suite;
};

const jsonDomain = (domain) => JSON.parse(JSON.stringify(domain));

/** Structs A, B, C …: a struct refers to later ones only, and every later one is referred to. */
function randomTypes(random) {
  const names = ['Mail', 'Person', 'Asset', 'Z'].slice(0, random.between(1, 4));
  const atoms = ['address', 'bool', 'string', 'bytes', 'uint256', 'bytes32', 'int256'];
  const types = {};
  names.forEach((name, at) => {
    const members = Array.from({ length: random.between(at === 0 ? 0 : 1, 5) }, (_, index) => {
      const atom = random.pick([...atoms, `uint${8 * random.between(1, 32)}`, `int${8 * random.between(1, 32)}`, `bytes${random.between(1, 32)}`]);
      return { name: `m${index}`, type: atom + random.pick(['', '', '', '[]', '[2]', '[][]', '[1][]']) };
    });
    if (at + 1 < names.length) {
      members.splice(random.below(members.length + 1), 0, { name: 'next', type: names[at + 1] + random.pick(['', '', '[]', '[2]']) });
      const later = names.slice(at + 2);
      if (later.length && random.chance(40)) members.push({ name: 'other', type: random.pick(later) });
    }
    types[name] = members;
  });
  return types;
}

function messageOf(random, ethers, types, name) {
  return Object.fromEntries(types[name].map((member) => [member.name, memberOf(random, ethers, types, member.type)]));
}

function memberOf(random, ethers, types, type) {
  const array = type.match(/^(.*)\[(\d*)\]$/);
  if (array) {
    const length = array[2] ? Number(array[2]) : random.below(3);
    return Array.from({ length }, () => memberOf(random, ethers, types, array[1]));
  }
  if (types[type]) return messageOf(random, ethers, types, type);
  return valueOf(random, ethers, ethers.utils.ParamType.from(type));
}

function randomDomain(random, ethers) {
  const all = {
    name: random.text(20),
    version: random.pick(['1', '5.0.0', '', random.text(5)]),
    chainId: random.pick([1, 134, 42161, 65535, `${random.uint(256)}`]),
    verifyingContract: ethers.utils.getAddress(random.hex(20)),
    salt: random.hex(32),
  };
  const domain = {};
  Object.keys(FIELDS).filter(() => random.chance(70)).forEach((name) => { domain[name] = all[name]; });
  return domain;
}

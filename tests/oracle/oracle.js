'use strict';

// The JavaScript SDKs (V6, and today's) and ethers behind one pipe: a line of JSON in, a line of JSON out.
//
//     {"op": "encodeTag", "names": ["tee"]}   →   {"value": "0x…01"}   or   {"error": "Unknown tag …"}
//
// One process serves the whole test session. Orders are made on the chain in memory of
// vectors/record/sdk.js, without a socket; only `onChain` talks, to the node on loopback it is given.

console.log = console.error; // what packages print must not get between the answers

const http = require('http');
const https = require('https');
const path = require('path');
const readline = require('readline');
const { pathToFileURL } = require('url');

const { load, orderApi } = require(path.join(__dirname, '..', '..', 'vectors', 'record', 'sdk.js'));

const sdk = load();
const { ethers } = sdk;
const { utils } = ethers;
const typed = sdk.from('ethers-typed').ethers;
const tools = sdk.common('utils/utils');
const schemas = sdk.common('utils/validator');
const { createObjParams } = sdk.common('modules/request-helper');
const { encryptAes256Cbc, sha256Sum } = sdk.common('utils/encryption-utils');
const yup = sdk.from('yup');
const { computeTaskId } = sdk.common('modules/deal');

const TYPES = { apporder: 'AppOrder', datasetorder: 'DatasetOrder', workerpoolorder: 'WorkerpoolOrder', requestorder: 'RequestOrder' };
const NOBODY = `0x${'11'.repeat(32)}`;

const bytes = (base64) => Buffer.from(base64, 'base64');
const base64 = (data) => Buffer.from(data).toString('base64');
const hex = (data) => `0x${Buffer.from(data).toString('hex')}`;
const json = (value) => JSON.parse(JSON.stringify(value));

function api({ chainId, hub, key = NOBODY, proxy }) {
  return orderApi(sdk.client({ chainId, hub, key, proxy }));
}

/** What the marketplace's fields are for yup (market.md, "Validation"). */
const hexText = (pattern, text) => () => yup.string().matches(pattern, `\${path} must be a ${text}`);
const integer = (least) => () => yup.number().integer().min(least).max(Number.MAX_SAFE_INTEGER - 1);
const isAddress = (text) => text === undefined || utils.isAddress(text);
const YUP = {
  address: () => yup.string()
    .transform((text) => (typeof text === 'string' && utils.isAddress(text.toLowerCase()) ? utils.getAddress(text.toLowerCase()) : text))
    .test('address', '${path} is not a valid ethereum address', isAddress),
  bytes32: () => hexText(/^0x[0-9a-f]{64}$/, 'bytes32 hexstring')().lowercase(),
  signature: hexText(/^0x/, 'valid signature'),
  uint: integer(0),
  count: integer(1),
  string: () => yup.string(),
};

/** The SDK's own faucets, whose addresses it holds: `call` is getETH or getRLC. */
const faucet = ({ call, chain, address }) => sdk.common('modules/wallet')[call](chain, address);

/** What `action` sends to other hosts goes to the URL `to` instead; header `x-host`: where it was meant to go. */
async function redirected(to, action) {
  const { hostname, port, pathname } = new URL(to);
  const plain = http.request;
  const send = ({ host, path: end, method, headers }, ...rest) =>
    plain({ hostname, port, path: pathname.replace(/\/$/, '') + end, method, headers: { ...headers, 'x-host': host } }, ...rest);
  const kept = [http, https].map((each) => [each, each.request]);
  kept.forEach(([each]) => { each.request = send; });
  try {
    return await action();
  } finally {
    kept.forEach(([each, request]) => { each.request = request; });
  }
}

const clients = new Map();

/** The SDK on a running node: one client for each node, flavour, key and set of services. */
function running(chain) {
  const { host, key = NOBODY, hub, native, flavour = 'standard', swapHub, bridge, bridged, ens, chainId } = chain;
  const { sms = host, resultProxy = host, ipfsGateway, iexecGateway } = chain;
  const name = JSON.stringify(chain);
  if (!clients.has(name)) {
    let wallet = sdk.utils.getSignerFromPrivateKey(host, key);
    if (ens) {
      // The SDK has no option for a registry: names need a provider of a network that has one.
      const { EnhancedWallet } = sdk.common('utils/signers');
      const network = { chainId, name: 'named', ensAddress: ens };
      wallet = new EnhancedWallet(key, new ethers.providers.JsonRpcProvider(host, network));
    }
    wallet.provider.pollingInterval = 25; // ms, for a node that mines at once
    // The SDK wants the URLs even of services that it does not contact.
    const services = { smsURL: sms, resultProxyURL: resultProxy, ipfsGatewayURL: ipfsGateway, iexecGatewayURL: iexecGateway };
    const options = { hubAddress: hub, isNative: native, useGas: !native, ...services };
    if (swapHub) options.enterpriseSwapConf = { hubAddress: swapHub };
    if (bridge) Object.assign(options, { bridgeAddress: bridge, bridgedNetworkConf: bridged });
    clients.set(name, new sdk.IExec({ ethProvider: wallet, flavour }, options));
  }
  return clients.get(name);
}

/** Today's SDK on a running node, likewise. It is an ES module, loaded when it is first asked for. */
async function runningToday(chain) {
  const name = JSON.stringify(['today', chain]);
  if (!clients.has(name)) {
    const inside = (...parts) => import(pathToFileURL(path.join(sdk.folder, 'iexec-9', ...parts)).href);
    const { IExec } = await inside('dist', 'esm', 'lib', 'index.js');
    const { ethers: six } = await inside('node_modules', 'ethers', 'lib.esm', 'index.js');
    const { host, key = NOBODY, hub, sms, ipfsGateway, ipfsNode, iexecGateway, compass } = chain;
    const provider = new six.JsonRpcProvider(host, undefined, { pollingInterval: 20, cacheTimeout: -1 });
    const services = { smsURL: sms, ipfsGatewayURL: ipfsGateway, ipfsNodeURL: ipfsNode, iexecGatewayURL: iexecGateway, compassURL: compass };
    clients.set(name, new IExec({ ethProvider: new six.Wallet(key, provider) }, { hubAddress: hub, ...services }));
  }
  return clients.get(name);
}

/** What the SDK returned, as its command line prints it: integers in decimal, but lists as lists. */
function printed(value) {
  if (typeof value === 'bigint') return value.toString();
  if (sdk.utils.BN.isBN(value) || ethers.BigNumber.isBigNumber(value)) return value.toString(10);
  if (Array.isArray(value)) return value.map(printed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, printed(member)]));
}

/** What ethers decoded, as JSON: integers in decimal. */
function plain(type, value) {
  if (type.baseType === 'array') return value.map((one) => plain(type.arrayChildren, one));
  if (type.baseType === 'tuple') return type.components.map((one, at) => plain(one, value[at]));
  return typeof value === 'boolean' || typeof value === 'string' ? value : value.toString();
}

/** The types that the SDK itself asks a signer to sign an order of this kind by, seen once. */
const structs = new Map();
async function structOf(kind) {
  if (!structs.has(kind)) {
    const { EnhancedWallet } = sdk.common('utils/signers');
    const plain = EnhancedWallet.prototype._signTypedData;
    EnhancedWallet.prototype._signTypedData = function seen(domain, types, value) {
      structs.set(kind, types);
      return plain.call(this, domain, types, value);
    };
    try {
      const one = api({ chainId: 134, hub: utils.getAddress(`0x${'3e'.repeat(20)}`), proxy: 'https://p.example' });
      const [app, requester] = [utils.getAddress(`0x${'ab'.repeat(20)}`), utils.computeAddress(NOBODY)];
      const input = { app, dataset: app, workerpool: app, category: 0, requester };
      const names = { apporder: ['app'], datasetorder: ['dataset'], workerpoolorder: ['workerpool', 'category'], requestorder: ['app', 'category', 'requester'] }[kind];
      await one.sign(kind, await one.create(kind, Object.fromEntries(names.map((name) => [name, input[name]]))));
    } finally {
      EnhancedWallet.prototype._signTypedData = plain;
    }
  }
  return structs.get(kind);
}

/** A digest, and what ethers signs it to; by its class of keys without the public key that a new one would be given. */
const signedDigest = (privateKey, digest) => [digest, utils.joinSignature(utils.SigningKey.prototype.signDigest.call({ privateKey }, digest))];

function paramsOf({ params, tee, callback, proxy, strict = false }) {
  return createObjParams({
    params,
    tag: `0x${'0'.repeat(63)}${tee ? 1 : 0}`,
    callback: callback ? '0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A' : tools.NULL_ADDRESS,
    noCast: strict,
    resultProxyURL: proxy,
  });
}

/** What ethers asks a browser wallet for, to sign a message and typed data and to send. */
async function walletRequests({ address, message, domain, types, values, transaction, signature, hash }) {
  const seen = [];
  const answers = { eth_chainId: '0x7', eth_accounts: [address], eth_sendTransaction: hash };
  const request = async ({ method, params }) => {
    seen.push({ method, params });
    return method in answers ? answers[method] : signature;
  };
  const signer = new ethers.providers.Web3Provider({ isMetaMask: true, request }).getSigner(address);
  await signer.signMessage(utils.arrayify(message));
  await signer._signTypedData(domain, types, values);
  await signer.sendUncheckedTransaction(transaction);
  return seen;
}

const OPS = {
  versions: () => ({ iexec: sdk.version('iexec'), ethers: ethers.version, typed: typed.version, node: process.version }),

  // orders
  create: async (ask) => api(ask).create(ask.kind, ask.create),
  createAndSign: async (ask) => {
    const one = api(ask);
    const signed = await one.sign(ask.kind, await one.create(ask.kind, ask.create));
    return { signed, hash: await one.hash(ask.kind, signed) };
  },
  hash: (ask) => api(ask).hash(ask.kind, ask.order),
  recoverOrder: ({ kind, chainId, hub, members, order }) =>
    utils.verifyTypedData({ name: 'iExecODB', version: '5.0.0', chainId, verifyingContract: hub }, { [TYPES[kind]]: members }, order, order.sign),
  orderDigest: async ({ kind, chainId, hub, order, key }) => {
    const domain = { name: 'iExecODB', version: '5.0.0', chainId, verifyingContract: hub };
    return signedDigest(key, utils._TypedDataEncoder.hash(domain, await structOf(kind), order));
  },
  dealId: ({ hash, first }) => utils.keccak256(utils.defaultAbiCoder.encode(['bytes32', 'uint256'], [hash, first])),
  taskId: ({ dealid, index }) => computeTaskId(dealid, index),

  // params, tags, amounts, multiaddresses
  params: async (ask) => JSON.stringify(await paramsOf(ask)),
  checkParams: async (ask) => { await paramsOf({ ...ask, strict: true }); return true; },
  encodeTag: ({ names }) => tools.encodeTag(names),
  decodeTag: ({ tag }) => tools.decodeTag(tag),
  sumTags: ({ tags }) => tools.sumTags(tags),
  missingBits: ({ tag, required }) => tools.findMissingBitsInTag(tag, required),
  parseTag: ({ value }) => schemas.tagSchema().validate(value),
  parseRlc: ({ value, unit }) => tools.parseRLC(value, unit).toString(),
  parseEth: ({ value, unit }) => tools.parseEth(value, unit).toString(),
  amount: ({ value, unit }) => schemas.nRlcAmountSchema({ defaultUnit: unit }).validate(value),
  wei: ({ value, unit }) => schemas.weiAmountSchema({ defaultUnit: unit }).validate(value),
  formatRlc: ({ value }) => tools.formatRLC(value),
  formatEth: ({ value }) => tools.formatEth(value),
  namehash: ({ name }) => utils.namehash(name),
  address: ({ value }) => schemas.addressSchema().required().validate(value),
  eip55: ({ text }) => utils.getAddress(text),
  yup: async ({ fields, value }) => {
    const shape = Object.fromEntries(fields.map(([name, kind, needed]) => [name, needed ? YUP[kind]().required() : YUP[kind]()]));
    const told = (error) => { throw yup.ValidationError.isError(error) ? error : Error('Internal error'); };
    return yup.object({ order: yup.object(shape).required() }).validate(value).catch(told);
  },
  toMultiaddr: ({ text }) => hex(tools.humanToMultiaddrBuffer(text, { strict: false })),
  fromMultiaddr: ({ data }) => tools.multiaddrHexToHuman(data),

  // files
  encryptDataset: async ({ data, key }) => base64(await encryptAes256Cbc(bytes(data), key)),
  decryptDataset: ({ data, key }) => {
    const file = bytes(data);
    const cipher = require('crypto').createDecipheriv('aes-256-cbc', bytes(key), file.subarray(0, 16));
    return base64(Buffer.concat([cipher.update(file.subarray(16)), cipher.final()]));
  },
  keccak: ({ data }) => utils.keccak256(bytes(data)),
  checksum: ({ data }) => sha256Sum(bytes(data)),
  decryptResult: async ({ archive, key }) => base64(await sdk.utils.decryptResult(bytes(archive), key)),

  // keys and signatures
  encryptKeystore: ({ key, password, options }) => new ethers.Wallet(key).encrypt(password, options),
  decryptKeystore: async ({ keystore, password }) => (await ethers.Wallet.fromEncryptedJson(keystore, password)).privateKey,
  addressOfKey: ({ key }) => utils.computeAddress(key),
  signMessage: ({ key, message }) => new ethers.Wallet(key).signMessage(utils.arrayify(message)),
  verifyMessage: ({ message, signature }) => utils.verifyMessage(utils.arrayify(message), signature),
  signTyped: async ({ key, domain, types, message }) => ({
    digest: utils._TypedDataEncoder.hash(domain, types, message),
    signature: await new ethers.Wallet(key)._signTypedData(domain, types, message),
    document: json(utils._TypedDataEncoder.getPayload(domain, types, message)),
  }),
  typedDigest: ({ key, domain, types, message }) => signedDigest(key, utils._TypedDataEncoder.hash(domain, types, message)),
  messageDigest: ({ key, message }) => signedDigest(key, utils.hashMessage(utils.arrayify(message))),
  verifyTyped: ({ domain, types, message, signature }) => utils.verifyTypedData(domain, types, message, signature),

  // ABI and transactions
  abiEncode: ({ types, values }) => utils.defaultAbiCoder.encode(types, values),
  abiDecode: ({ types, data }) => {
    const kinds = types.map((type) => utils.ParamType.from(type));
    const found = utils.defaultAbiCoder.decode(kinds, data);
    return kinds.map((type, at) => plain(type, found[at]));
  },
  calldata: ({ contract, signature, args }) => new utils.Interface(sdk.from(contract).abi).encodeFunctionData(signature, args),
  readCalldata: ({ contract, signature, data }) => {
    const face = new utils.Interface(sdk.from(contract).abi);
    const found = face.decodeFunctionData(signature, data);
    return face.getFunction(signature).inputs.map((type, at) => plain(type, found[at]));
  },
  parseTransaction: ({ raw }) => {
    const parsed = (raw.startsWith('0x02') ? typed : ethers).utils.parseTransaction(raw);
    const text = (value) => (value === undefined || value === null ? null : value.toString());
    return {
      type: parsed.type || 0,
      nonce: parsed.nonce,
      gas: text(parsed.gasLimit),
      to: parsed.to || null,
      value: text(parsed.value),
      data: parsed.data,
      chainId: parsed.chainId || null,
      gasPrice: parsed.type === 2 ? null : text(parsed.gasPrice),
      maxFeePerGas: text(parsed.maxFeePerGas),
      maxPriorityFeePerGas: text(parsed.maxPriorityFeePerGas),
      accessList: parsed.accessList ? parsed.accessList.map(({ address, storageKeys }) => [address, storageKeys]) : null,
      hash: parsed.hash,
      from: parsed.from,
    };
  },
  signTransaction: ({ key, request }) => new (request.type === 2 ? typed : ethers).Wallet(key).signTransaction(request),

  walletRequests,
  // the whole SDK on a real chain; `more`: the next page of what was returned
  onChain: async ({ chain, module, method, args, more = false }) => {
    const found = await running(chain)[module][method](...args);
    return printed(more ? await found.more() : found);
  },
  allPages: async ({ chain, module, method, args }) => {
    const pages = [];
    for (let page = await running(chain)[module][method](...args); page; page = page.more && (await page.more())) pages.push(printed(page));
    return pages;
  },
  // today's SDK likewise
  today: async ({ chain, module, method, args, more = false }) => {
    const found = await (await runningToday(chain))[module][method](...args);
    return printed(more ? await found.more() : found ?? null);
  },
  resultsToday: async ({ chain, taskid }) => base64(await (await (await runningToday(chain)).task.fetchResults(taskid)).arrayBuffer()),
  results: async ({ chain, taskid }) => base64(await (await running(chain).task.fetchResults(taskid)).arrayBuffer()),
  faucet: ({ to, ...asked }) => redirected(to, () => faucet(asked)),
  forget: () => clients.clear() || null,
  // never answers
  hang: () => new Promise(() => {}),
  // every method that a program can call, as module.method
  methods: () => {
    const modules = { ...running({ host: 'http://127.0.0.1:1', hub: tools.NULL_ADDRESS, native: false }), utils: sdk.utils };
    const found = ([name, value]) => Object.keys(Object(value)).filter((key) => typeof value[key] === 'function').map((key) => `${name}.${key}`);
    return Object.entries(modules).flatMap(found).sort();
  },
};

async function answer(line) {
  try {
    const { op, ...ask } = JSON.parse(line);
    if (!Object.hasOwn(OPS, op)) throw Error(`no such operation: ${op}`);
    return { value: await OPS[op](ask) };
  } catch (error) {
    return { error: String((error && error.message) || error).slice(0, 500) };
  }
}

async function main() {
  process.stdout.write('ready\n'); // node itself may have said something before
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const found = await answer(line);
    process.stdout.cork(); // answers that are ready together leave together
    process.stdout.write(`${JSON.stringify(found)}\n`);
    setImmediate(() => process.stdout.uncork());
  }
}

main();

'use strict';

const http = require('http');
const path = require('path');
const { pathToFileURL } = require('url');
const { Suite } = require('../suite');
const v = require('./values');

const ABOUT =
  'What SDK V9 sends to services that know how to answer (today.md §1.3, §2). Every case: `asked`, the requests in order (service, method, path, the headers ' +
  'that matter, body), and what came of them. sms: pushes and checks of secrets, signed with `key`. bulk: signed dataset orders → the files that are uploaded, the ' +
  'root CID and the volume. book: options → the query of an order book. compass: the URL of a workerpool. info, logs: what its API tells of a task; ' +
  '`calls` are the answers of the chain by selector.';

const CHAIN_ID = 421614;
const HUB = v.CHAINS[7][1];
const HEADERS = ['accept', 'authorization', 'content-type'];
const TASK =
  'function viewTask(bytes32) view returns ((uint8,bytes32,uint256,uint256,uint256,uint256,uint256,bytes32,uint256,uint256,address[],bytes32,bytes,uint256,bytes))';
const RESOURCE = '(address,address,uint256)';
const DEAL = `function viewDeal(bytes32) view returns ((${RESOURCE},${RESOURCE},${RESOURCE},uint256,uint256,bytes32,address,address,address,string,uint256,uint256,uint256,uint256,uint256,address))`;
const CATEGORY = 'function viewCategory(uint256) view returns ((string,string,uint256))';
const RATIO = 'function final_deadline_ratio() view returns (uint256)';

/** The services, each at a port of its own (SDK V9 drops the path of a base URL), and the node. */
class World {
  constructor() {
    this.asked = [];
    this.answers = {};
    this.calls = {};
    this.servers = [];
  }

  async start() {
    const url = {};
    for (const name of ['node', 'sms', 'market', 'ipfs', 'gateway', 'compass', 'pool']) {
      const server = http.createServer((request, response) => this.serve(name, request, response));
      await new Promise((done) => server.listen(0, '127.0.0.1', done));
      this.servers.push(server);
      url[name] = `http://127.0.0.1:${server.address().port}`;
    }
    this.url = url;
    return this;
  }

  stop() {
    this.servers.forEach((server) => {
      server.closeAllConnections();
      server.close();
    });
  }

  async serve(name, request, response) {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces).toString('utf8');
    const say = (status, value) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(value === undefined || request.method === 'HEAD' ? undefined : value);
    };
    if (name === 'node') {
      const asked = JSON.parse(body);
      say(200, JSON.stringify(Array.isArray(asked) ? asked.map((one) => this.node(one)) : this.node(asked)));
      return;
    }
    const headers = Object.fromEntries(HEADERS.filter((header) => request.headers[header] !== undefined && request.headers[header] !== '*/*').map((header) => [header, request.headers[header]]));
    this.asked.push({ service: name, method: request.method, path: request.url, headers, body });
    const [status, value] = this.answers[name](request.method, request.url, body);
    say(status, value);
  }

  node({ id, method, params }) {
    if (method === 'eth_chainId') return { jsonrpc: '2.0', id, result: `0x${CHAIN_ID.toString(16)}` };
    if (method === 'eth_blockNumber') return { jsonrpc: '2.0', id, result: '0x10' };
    const selector = method === 'eth_call' ? params[0].data.slice(0, 10) : undefined;
    if (selector && this.calls[selector]) return { jsonrpc: '2.0', id, result: this.calls[selector] };
    return { jsonrpc: '2.0', id, error: { code: -32601, message: `the canned chain does not answer ${method} ${selector}` } };
  }

  /** What was asked since the last time, the boundary of an upload taken out. */
  taken() {
    const found = this.asked;
    this.asked = [];
    return found.map((one) => {
      const boundary = /boundary=(\S+)/.exec(one.headers['content-type'] || '');
      if (!boundary) return one;
      const plain = (text) => text.split(boundary[1]).join('BOUNDARY');
      return { ...one, headers: { ...one.headers, 'content-type': plain(one.headers['content-type']) }, body: plain(one.body) };
    });
  }
}

module.exports = async (sdk, random) => {
  const suite = new Suite('wire9', ABOUT, ['iexec-9']);
  const v9 = await sdk.v9();
  const lib = (name) => import(pathToFileURL(path.join(sdk.folder, 'iexec-9', 'dist', 'esm', 'lib', name)).href);
  const { IExec } = await lib('index.js');
  const { ethers } = v9;
  const world = await new World().start();
  const options = {
    hubAddress: HUB,
    smsURL: world.url.sms,
    iexecGatewayURL: world.url.market,
    ipfsNodeURL: world.url.ipfs,
    ipfsGatewayURL: world.url.gateway,
    compassURL: world.url.compass,
  };
  const provider = new ethers.JsonRpcProvider(world.url.node, CHAIN_ID, { staticNetwork: true });
  const client = (key) => new IExec({ ethProvider: new ethers.Wallet(key, provider) }, options);
  const address = () => ethers.getAddress(random.hex(20));
  try {
    await secrets(suite, world, client, random, ethers, address);
    await bulk(suite, world, client, random, v9, address);
    await books(suite, world, client, random, address);
    await tasks(suite, world, client, random, ethers, address);
  } finally {
    provider.destroy();
    world.stop();
  }
  return suite;
};

/** Secrets of apps, datasets, requesters; the key of results. */
async function secrets(suite, world, client, random, ethers, address) {
  const KEY = '0x1111111111111111111111111111111111111111111111111111111111111111';
  const D = '0xf6b2bA0793C225c28a6E7753f6f67a3C68750bF1';
  const cases = [
    [KEY, 'app.pushAppSecret', [D, 'foo']],
    [KEY, 'secrets.pushRequesterSecret', ['my-secret', 'foo']],
    [KEY, 'dataset.pushDatasetSecret', [D, 'foo']],
    [KEY, 'storage.pushStorageToken', ['foo', 'dropbox']],
  ];
  for (let index = 0; index < 30; index += 1) {
    const value = random.text(40) || 'x';
    const name = Array.from({ length: 1 + random.below(64) }, () => random.pick('abcXYZ019-_'.split(''))).join('');
    cases.push([v.key(random), ...random.pick([
      ['app.pushAppSecret', [address(), value]],
      ['app.checkAppSecretExists', [address()]],
      ['dataset.checkDatasetSecretExists', [address()]],
      ['secrets.pushRequesterSecret', [name, value]],
      ['secrets.checkRequesterSecretExists', [address(), name]],
      ['result.checkResultEncryptionKeyExists', [address()]],
      ['storage.checkStorageTokenExists', [address(), 'dropbox']],
    ])]);
  }
  for (const [key, call, args] of cases) {
    const exists = random.chance(50) && !/push/.test(call);
    world.answers.sms = (method) => [method === 'HEAD' && !exists ? 404 : 204];
    const [module, method] = call.split('.');
    const result = await client(key)[module][method](...args);
    suite.good('sms', { key, address: ethers.computeAddress(key), call, args, exists, result, asked: world.taken() });
  }
}

/** Dataset orders in bulk. */
async function bulk(suite, world, client, random, v9, address) {
  const CID = (text) => cidOf(Buffer.from(text, 'utf8'));
  world.answers.ipfs = (method, url, body) => {
    const content = /\r\n\r\n([\s\S]*)\r\n--[^\r\n]*--\r\n$/.exec(body)[1];
    return [200, `${JSON.stringify({ Name: CID(content), Hash: CID(content), Size: '1' })}\n`];
  };
  world.answers.gateway = () => [200];
  for (const [count, perTask] of [[1, undefined], [2, undefined], [2, 1], [7, 3], [250, undefined]]) {
    const key = v.key(random);
    const api = v9.client({ chainId: CHAIN_ID, hub: HUB, key });
    const orders = [];
    for (let index = 0; index < count; index += 1) {
      const one = index < 7 ? await api.create('datasetorder', { dataset: address(), datasetprice: '0', volume: '9007199254740991', ...(index % 3 === 1 ? { apprestrict: address() } : {}) }) : undefined;
      if (one) one.volume = index % 2 ? '9007199254740990' : one.volume;
      orders.push(one ? await api.sign('datasetorder', one) : orders[index % 7]);
    }
    const result = await client(key).order.prepareDatasetBulk(orders, { ...(perTask ? { maxDatasetPerTask: perTask } : {}), thegraphUpload: false });
    const asked = world.taken();
    const sizes = asked.map(({ body }) => body.length);
    // of the largest, the first file and the sizes of the others are enough
    suite.good('bulk', { orders: count > 7 ? orders.slice(0, 7) : orders, count, perTask: perTask || 100, result, sizes, asked: count > 7 ? [] : asked });
  }
}

/** CIDv0 of a file of one block (today.md §2.3). */
function cidOf(content) {
  const crypto = require('crypto');
  const varint = (number) => {
    const out = [];
    for (; number > 127; number = Math.floor(number / 128)) out.push((number % 128) + 128);
    return Buffer.from([...out, number]);
  };
  const size = varint(content.length);
  const file = Buffer.concat([Buffer.from('080212', 'hex'), size, content, Buffer.from('18', 'hex'), size]);
  const node = Buffer.concat([Buffer.from('0a', 'hex'), varint(file.length), file]);
  const hash = Buffer.concat([Buffer.from('1220', 'hex'), crypto.createHash('sha256').update(node).digest()]);
  const digits = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
  let text = '';
  for (let rest = BigInt(`0x${hash.toString('hex')}`); rest > 0n; rest /= 58n) text = digits[Number(rest % 58n)] + text;
  return text;
}

/** The queries of the order books. */
async function books(suite, world, client, random, address) {
  world.answers.market = () => [200, JSON.stringify({ ok: true, count: 0, orders: [] })];
  const some = () => random.pick(['any', address(), address()]);
  const strict = (...names) => Object.fromEntries(random.some(names).map((name) => [`is${name}Strict`, random.chance(50)]));
  const tags = () => ({
    ...(random.chance(50) ? { minTag: random.pick([['tee'], 'tee,tdx', ['tee', 'tdx', 'gpu'], 'gpu']) } : {}),
    ...(random.chance(50) ? { maxTag: random.pick([['tee', 'tdx'], 'tee,tdx,gpu', 'tee']) } : {}),
  });
  const paging = () => (random.chance(60) ? { page: random.below(5), pageSize: random.pick([10, 20, 100, 1000]) } : {});
  const volume = () => (random.chance(40) ? { minVolume: random.below(20) } : {});
  const from = (...names) => Object.fromEntries(random.some(names).map((name) => [name, some()]));
  const kinds = {
    App: () => ({ ...random.pick([{ app: some() }, { appOwner: some() }]), ...from('dataset', 'workerpool', 'requester'), ...strict('Dataset', 'Workerpool', 'Requester') }),
    Dataset: () => ({ ...random.pick([{ dataset: some() }, { datasetOwner: some() }]), ...from('app', 'workerpool', 'requester'), ...strict('App', 'Workerpool', 'Requester'), ...(random.chance(40) ? { bulkOnly: random.chance(50) } : {}) }),
    Workerpool: () => ({ ...from('workerpool', 'app', 'dataset', 'requester'), ...(random.chance(40) ? { workerpoolOwner: address() } : {}), ...(random.chance(60) ? { category: random.below(5), minTrust: random.below(3) } : {}), ...strict('App', 'Dataset', 'Requester') }),
    Request: () => ({ ...from('requester', 'beneficiary', 'app', 'dataset', 'workerpool'), ...(random.chance(60) ? { category: random.below(5), maxTrust: random.below(3) } : {}), ...strict('Workerpool') }),
  };
  const iexec = client(v.key(random));
  for (let index = 0; index < 80; index += 1) {
    const kind = Object.keys(kinds)[index % 4];
    const options = { ...kinds[kind](), ...tags(), ...volume(), ...paging() };
    await iexec.orderbook[`fetch${kind}Orderbook`](options);
    suite.good('book', { kind, options, asked: world.taken() });
  }
}

/** Compass, and the API of a workerpool. */
async function tasks(suite, world, client, random, ethers, address) {
  const encode = (signature, value) => {
    const face = new ethers.Interface([signature]);
    const [name] = /\w+(?=\()/.exec(signature);
    return { [face.getFunction(name).selector]: face.encodeFunctionResult(name, value) };
  };
  const nobody = [ethers.ZeroAddress, ethers.ZeroAddress, 0];
  for (let index = 0; index < 12; index += 1) {
    const key = v.key(random);
    const requester = ethers.computeAddress(key);
    const [pool, worker, taskid, dealid] = [address(), address(), random.hex(32), random.hex(32)];
    const zero = ethers.ZeroHash;
    world.calls = {
      ...encode(TASK, [[1, dealid, index, 60, 1700000420, 1700000120, 1700000600, zero, 0, 0, [worker], zero, '0x', 0, '0x']]),
      ...encode(DEAL, [[[address(), address(), 1], nobody, [pool, address(), 2], 1, 0, zero, requester, requester, ethers.ZeroAddress, '{}', 1700000000, 0, index + 1, 0, 5, ethers.ZeroAddress]]),
      ...encode(CATEGORY, [['XS', '{}', 300]]),
      ...encode(RATIO, [10]),
    };
    const calls = { ...world.calls };
    const known = index % 6 !== 5;
    world.answers.compass = () => (known ? [200, JSON.stringify({ apiUrl: world.url.pool })] : [404, JSON.stringify({ error: 'not found' })]);
    const url = await client(key).workerpool.getWorkerpoolApiUrl(pool);
    suite.good('compass', { pool, known, result: url ? 'POOL' : null, asked: world.taken() });
    if (!known) continue;
    const change = (status, cause) => ({ status, date: `2026-01-0${1 + random.below(9)}T10:00:00.000Z`, ...(cause ? { cause } : {}) });
    const answer = {
      chainTaskId: taskid,
      currentStatus: 'RUNNING',
      dateStatusList: [change('RECEIVED'), change('RUNNING')],
      ...(index % 3 ? { replicates: [{ walletAddress: worker, ...(index % 2 ? { appExitCode: index } : {}), currentStatus: 'COMPUTED', statusUpdateList: [change('CREATED'), change('COMPUTE_FAILED', 'APP_COMPUTE_FAILED')] }] } : {}),
    };
    world.answers.pool = () => [200, JSON.stringify(answer)];
    const info = await client(key).task.fetchOffchainInfo(taskid);
    suite.good('info', { taskid, dealid, pool, requester, calls, answer, result: info, asked: world.taken() });
    const challenge = {
      types: { EIP712Domain: [{ name: 'name', type: 'string' }, { name: 'version', type: 'string' }, { name: 'chainId', type: 'uint256' }], Challenge: [{ name: 'challenge', type: 'string' }] },
      domain: { name: 'iExec Core', version: '1', chainId: CHAIN_ID },
      primaryType: 'Challenge',
      message: { challenge: random.bytes(32).toString('base64') },
    };
    const logs = index % 4 ? { taskId: taskid, computeLogsList: [{ walletAddress: worker, stdout: random.text(40), stderr: random.text(20) }] } : {};
    world.answers.pool = (method, where) => [200, JSON.stringify(/challenge/.test(where) ? challenge : logs)];
    const lines = await client(key).task.fetchLogs(taskid);
    suite.good('logs', { key, taskid, dealid, pool, requester, calls, challenge, answer: logs, result: lines, asked: world.taken() });
  }
}

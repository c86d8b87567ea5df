'use strict';

// The JavaScript peers behind one pipe: a line of JSON in, a line of JSON out.
//
//     {"op": "order6", "seconds": 0.4}   →   {"value": 371.2}      times a second
//
// Orders are made on the chain in memory of vectors/record/sdk.js, without a socket. `node peers.js
// serve` is a JSON-RPC node instead, which answers every call with the same word; it prints its port.

console.log = console.error; // what packages print must not get between the answers

const fs = require('fs');
const http = require('http');
const path = require('path');
const readline = require('readline');

const send = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

function serve() {
  const results = { eth_chainId: '0x86', eth_getBlockByNumber: { number: '0x10', timestamp: '0x5f5e1000' }, eth_getBalance: '0x1' };
  const answer = ({ id, method }) => ({ jsonrpc: '2.0', id, result: results[method] || `0x${'00'.repeat(31)}01` });
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const calls = JSON.parse(Buffer.concat(parts));
      const body = JSON.stringify(Array.isArray(calls) ? calls.map(answer) : answer(calls));
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
      response.end(body);
    });
  });
  server.keepAliveTimeout = 600000;
  server.listen(0, '127.0.0.1', () => send({ value: server.address().port }));
  process.stdin.on('end', () => process.exit(0)).resume();
}

const common = (sdk) => sdk.common('utils/encryption-utils');

/** From file to file, as the command line does it: whole files in memory. */
const files = {
  encrypt: async (sdk, { source, target, key }) =>
    fs.writeFileSync(target, await common(sdk).encryptAes256Cbc(fs.readFileSync(source), key)),
  seal: async (sdk, { source, target, key }) => {
    const found = await common(sdk).encryptAes256Cbc(fs.readFileSync(source), key);
    common(sdk).sha256Sum(found);
    fs.writeFileSync(target, found);
  },
  decrypt: async (sdk, { source, target, key }) =>
    fs.writeFileSync(target, Buffer.from(await sdk.utils.decryptResult(fs.readFileSync(source), key))),
  unlock: (sdk, { source, key }) => sdk.ethers.Wallet.fromEncryptedJson(fs.readFileSync(source, 'utf8'), key),
};

/** One of these in a process of its own, which prints the seconds it took. */
async function once(name, given) {
  const { load } = require(path.join(__dirname, '..', 'vectors', 'record', 'sdk.js'));
  const sdk = load();
  const start = process.hrtime.bigint();
  await files[name](sdk, given);
  process.stdout.write(`${Number(process.hrtime.bigint() - start) / 1e9}\n`);
}

async function peers() {
  const { load, orderApi } = require(path.join(__dirname, '..', 'vectors', 'record', 'sdk.js'));
  const sdk = load();
  const { ethers } = sdk;
  const given = JSON.parse(process.argv[2]); // key, chainId, hub, proxy, fields, order, typed, abi …
  const wallet = new ethers.Wallet(given.key);
  const six = orderApi(sdk.client(given));
  const nine = (await sdk.v9()).client(given);
  const request = async (api, fields) => api.sign('requestorder', await api.create('requestorder', fields));
  const { domain, types, message, signature } = given.typed;
  const { _TypedDataEncoder: typed } = ethers.utils;
  const digest = typed.hash(domain, types, message);
  const hub = new ethers.utils.Interface(given.abi);
  const provider = given.node && new ethers.providers.StaticJsonRpcProvider(given.node, 134);

  const each = {
    order6: () => request(six, given.fields),
    order9: () => request(nine, given.fields),
    sign: () => wallet._signTypedData(domain, types, message),
    hash: () => typed.hash(domain, types, message),
    recover: () => ethers.utils.recoverAddress(digest, signature),
    encode: () => hub.encodeFunctionData('matchOrders', given.four),
    decode: () => hub.decodeFunctionResult('viewDeal', given.deal),
    call: () => provider.call({ to: given.hub, data: '0x12345678' }),
  };
  const versions = () => ({
    node: process.version,
    ...Object.fromEntries(['iexec', 'iexec-9', 'ethers'].map((name) => [name, sdk.version(name)])),
  });

  async function perSecond(call, seconds) {
    let count = 0;
    const start = process.hrtime.bigint();
    for (;;) {
      await call();
      count += 1;
      const spent = Number(process.hrtime.bigint() - start) / 1e9;
      if (spent >= seconds) return count / spent;
    }
  }

  const lines = readline.createInterface({ input: process.stdin });
  for await (const line of lines) {
    const asked = JSON.parse(line);
    try {
      const value = each[asked.op] ? await perSecond(each[asked.op], asked.seconds) : versions();
      send({ value });
    } catch (error) {
      send({ error: String(error.stack || error) });
    }
  }
}

if (process.argv[2] === 'serve') serve();
else if (process.argv[2] === 'once') once(process.argv[3], JSON.parse(process.argv[4]));
else peers();

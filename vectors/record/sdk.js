'use strict';

// The JavaScript SDK on a chain that exists only in memory.
//
// `load()` finds the pinned packages; `client()` gives an `IExec` of SDK V6 whose provider answers
// the handful of questions asked while orders are made, signed and hashed: any chain id, any hub,
// no node, no network. Shared by the recorder and by the live oracle of the tests.

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { createRequire } = require('module');

const ROOT = path.resolve(__dirname, '..', '..');

/** The node_modules folder to use: $IEXEC_LITE_NPM, the recorder's own, the one of the tests. */
function npmFolder() {
  const folders = [
    process.env.IEXEC_LITE_NPM,
    path.join(__dirname, 'node_modules'),
    path.join(ROOT, '.tox', 'npm', 'node_modules'),
  ].filter(Boolean);
  const found = folders.find((folder) => fs.existsSync(path.join(folder, 'iexec', 'package.json')));
  if (!found) throw Error('no node_modules with iexec in it: run tools/npm_install.py');
  return path.resolve(found);
}

function load() {
  const folder = npmFolder();
  const from = createRequire(path.join(folder, '..', 'index.js'));
  const { ethers } = from('ethers');
  const sdk = {
    folder,
    from,
    ethers,
    IExec: from('iexec').IExec,
    utils: from('iexec').utils,
    common: (name) => from(`iexec/dist/common/${name}`),
    version: (name) => JSON.parse(fs.readFileSync(path.join(folder, name, 'package.json'))).version,
  };
  sdk.client = (options) => client(sdk, options);
  sdk.v9 = () => loadV9(folder);
  return sdk;
}

/** Inner modules of SDK V9 (package `iexec-9`), and orders on the same kind of chain in memory. */
async function loadV9(folder) {
  const inside = (name) => import(pathToFileURL(path.join(folder, 'iexec-9', 'dist', 'esm', 'common', name)).href);
  const [order, helper, validator, utils, result] = await Promise.all(
    ['market/order.js', 'execution/order-helper.js', 'utils/validator.js', 'utils/utils.js', 'utils/result-utils.js'].map(inside),
  );
  const ethers = await import(pathToFileURL(path.join(folder, 'iexec-9', 'node_modules', 'ethers', 'lib.esm', 'index.js')).href);
  const client9 = ({ chainId, hub, key }) => {
    const signer = new ethers.Wallet(key);
    const contracts = {
      chainId: String(chainId),
      provider: {},
      signer,
      getIExecContract: () => ({
        domain: async () => ({ name: 'iExecODB', version: '5.0.0', chainId: BigInt(chainId), verifyingContract: hub }),
      }),
      getContract: () => ({ owner: async () => signer.address }),
    };
    return {
      create: (kind, input) => (kind === 'requestorder' ? order.createRequestorder({ contracts }, input) : order[CREATE[kind]](input)),
      sign: (kind, value) => order[method('sign', kind)](contracts, value),
      hash: (kind, value) => order[method('hash', kind)](contracts, value),
    };
  };
  return { order, helper, validator, utils, result, client: client9, ethers };
}

/**
 * An IExec client. Options: chainId (number), hub, key (hex), owner (address that every resource
 * answers as its owner; default: the key's), proxy (result proxy URL).
 */
function client(sdk, { chainId, hub, key, owner, proxy }) {
  const { ethers } = sdk;
  const { EnhancedWallet } = sdk.common('utils/signers');
  const describe = (name) => new ethers.utils.Interface(sdk.from(`@iexec/poco/build/contracts-min/${name}.json`).abi);
  const face = { hub: describe('IexecInterfaceToken'), app: describe('App') };

  class CannedProvider extends ethers.providers.StaticJsonRpcProvider {
    constructor() {
      super('http://127.0.0.1:1', { chainId, name: 'canned' });
    }

    async send(method, params) {
      if (method === 'eth_chainId') return ethers.utils.hexValue(chainId);
      if (method === 'net_version') return String(chainId);
      if (method === 'eth_call') return this.answer(params[0]);
      throw Error(`the canned chain does not answer ${method}`);
    }

    answer({ data }) {
      const selector = data.slice(0, 10);
      if (selector === face.hub.getSighash('domain')) {
        return face.hub.encodeFunctionResult('domain', [['iExecODB', '5.0.0', chainId, hub]]);
      }
      if (selector === face.app.getSighash('owner')) {
        return face.app.encodeFunctionResult('owner', [owner || ethers.utils.computeAddress(key)]);
      }
      throw Error(`the canned chain does not answer calls of ${selector}`);
    }
  }

  const wallet = new EnhancedWallet(key, new CannedProvider());
  return new sdk.IExec({ ethProvider: wallet }, { hubAddress: hub, isNative: false, resultProxyURL: proxy });
}

const CREATE = {
  apporder: 'createApporder',
  datasetorder: 'createDatasetorder',
  workerpoolorder: 'createWorkerpoolorder',
  requestorder: 'createRequestorder',
};
const method = (verb, kind) => verb + kind[0].toUpperCase() + kind.slice(1);

/** The order methods of the SDK under one name each: create, sign, hash. */
function orderApi(iexec) {
  return {
    create: (kind, input) => iexec.order[CREATE[kind]](input),
    sign: (kind, order) => iexec.order[method('sign', kind)](order, { checkRequest: false }),
    hash: (kind, order) => iexec.order[method('hash', kind)](order),
  };
}

module.exports = { ROOT, load, orderApi };

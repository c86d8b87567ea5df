'use strict';

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { Suite } = require('../suite');

const ABOUT =
  'What the JavaScript packages hold in tables. network6, network9: all that is known of a network (chain.md §1). node: URLs of public nodes with the key KEY. ' +
  'template6, template9: what `iexec init` writes (cli.md §4.2). faucet: what is asked for ether or RLC (services.md §5.1). match: the requirements of matchOrders with their codes (chain.md §7.2). ' +
  'deploy: functions that only a deployment calls (sandbox.md §3, §4).';

const ADDRESS = '0x7bd4783FDCAD405A28052a0d1f11236A741da593';

// contract → ABI file, functions
const DEPLOY = {
  OWNED: ['@iexec/poco/build/contracts-min/Ownable.json', ['owner', 'transferOwnership']],
  FACTORY: ['@iexec/poco/build/contracts-min/GenericFactory.json', ['createContract', 'createContractAndCall', 'predictAddress', 'predictAddressWithCall']],
  PROXY: ['@iexec/poco/build/contracts-min/ERC1538UpdateDelegate.json', ['updateContract']],
  PROXY_QUERY: ['@iexec/poco/build/contracts-min/ERC1538QueryDelegate.json', ['totalFunctions', 'functionByIndex']],
  DEPLOY_HUB: ['@iexec/poco/build/contracts-min/IexecInterfaceToken.json', ['configure', 'setTeeBroker', 'setCallbackGas', 'updateDomainSeparator', 'setName']],
  DEPLOY_HUB_EXTRA: ['@iexec/poco/build/contracts-min/IexecMaintenanceExtra.json', ['changeRegistries']],
  DEPLOY_REGISTRY: ['@iexec/poco/build/contracts-min/AppRegistry.json', ['initialize', 'setBaseURI', 'setName']],
  DEPLOY_RLC: ['rlc-faucet-contract/build/contracts/RLC.json', ['refill']],
  DEPLOY_ERLC: ['@iexec/erlc/build/contracts-min/ERLCTokenSwap.json', ['KYC_ADMIN_ROLE', 'grantRole', 'grantKYC', 'revokeKYC']],
  DEPLOY_ENS: ['@iexec/poco/build/contracts-min/ENSRegistry.json', ['setSubnodeOwner', 'setOwner', 'setResolver']],
  DEPLOY_ENS_REGISTRAR: ['@iexec/poco/build/contracts-min/FIFSRegistrar.json', ['register']],
  DEPLOY_ENS_RESOLVER: ['@iexec/poco/build/contracts-min/PublicResolver.json', ['setAddr(bytes32,uint256,bytes)']],
};

module.exports = async (sdk) => {
  const suite = new Suite('tables', ABOUT, ['iexec', 'iexec-9', 'iexec-contracts-js-client', '@iexec/poco', '@iexec/erlc', 'rlc-faucet-contract', 'ethers']);
  networks6(suite, sdk);
  await today(suite, sdk);
  nodes(suite, sdk);
  templates(suite, 'template6', sdk.from('iexec/dist/cli/utils/templates'));
  await faucets(suite, sdk);
  requirements(suite, sdk);
  deployment(suite, sdk);
  return suite;
};

/** An object that a source file of a package keeps to itself. */
function literal(sdk, file, name) {
  const text = fs.readFileSync(path.join(sdk.folder, file), 'utf8');
  return Function(`return ${new RegExp(`const ${name} = (\\{[\\s\\S]*?\\n\\});`).exec(text)[1]}`)();
}

function networks6(suite, sdk) {
  const { getChainDefaults, isEnterpriseEnabled } = sdk.common('utils/config');
  const { getContractAddress, getIsNative, getGasPriceOverride } = sdk.from('iexec-contracts-js-client/dist/utils');
  const build = '@iexec/poco/build/contracts-min';
  const names = literal(sdk, 'iexec/src/cli/utils/chains.js', 'CHAIN_NAME_MAP');
  const swaps = literal(sdk, 'iexec/src/cli/utils/chains.js', 'ENTERPRISE_SWAP_MAP');
  const nameOf = (id) => Object.keys(names).find((name) => names[name].id === id && names[name].flavour === 'standard' && name !== id);
  const record = (name, { id, flavour }) => {
    const { bridge, ...defaults } = getChainDefaults({ id, flavour });
    const address = (file) => getContractAddress('', sdk.from(file), id, flavour, { strict: false });
    const native = getIsNative(id, flavour);
    const gasPrice = getGasPriceOverride(id);
    const network = {
      id: Number(id),
      ...defaults,
      hub: defaults.hub || getContractAddress('hub', {}, id, flavour, { strict: false }),
      appRegistry: address(`${build}/AppRegistry.json`),
      datasetRegistry: address(`${build}/DatasetRegistry.json`),
      workerpoolRegistry: address(`${build}/WorkerpoolRegistry.json`),
      token: native ? undefined : address('rlc-faucet-contract/build/contracts/RLC.json'),
      native,
      gasPrice: gasPrice && Number(gasPrice),
      bridge: bridge && { contract: bridge.contract, id: Number(bridge.bridgedChainId), name: nameOf(bridge.bridgedChainId) },
      ens: sdk.ethers.providers.getNetwork(Number(id)).ensAddress || undefined,
      twin: isEnterpriseEnabled(id) ? swaps[name] : undefined,
    };
    const { token, ...others } = network;
    if (defaults.host || !token) suite.good('network6', { name, network });
    else suite.differ('network6', { name }, { value: network }, { value: others }, 'the token is read from the hub: there is neither a node nor a service');
  };
  Object.keys(names).filter((name) => name !== names[name].id).forEach((name) => record(name, names[name]));
  ['3', '4', '42'].forEach((id) => record(sdk.ethers.providers.getNetwork(Number(id)).name, { id, flavour: 'standard' }));
}

async function today(suite, sdk) {
  const inside = (file) => import(pathToFileURL(path.join(sdk.folder, 'iexec-9', 'dist', 'esm', file)).href);
  const { getChainDefaults, getId } = await inside('common/utils/config.js');
  const found = await inside('cli/utils/templates.js');
  Object.keys(found.chains.chains).forEach((name) => suite.good('network9', { network: { id: getId(name), ...getChainDefaults(getId(name)), chosen: name === found.chains.default } }));
  const { dapps, ...others } = found;
  templates(suite, 'template9', others);
  const { 5: goerli } = dapps[0].addresses;
  suite.differ('template9', { name: 'dapps' }, { value: dapps }, { value: [{ ...dapps[0], addresses: { 421614: goerli } }] }, 'the network of the example is one that exists');
}

function nodes(suite, sdk) {
  const { InfuraProvider, getNetwork } = sdk.ethers.providers;
  for (const name of ['homestead', 'goerli']) {
    const network = getNetwork(name);
    const host = name === 'homestead' ? 'mainnet' : name;
    suite.good('node', { host, provider: 'infura', url: InfuraProvider.getUrl(network, { projectId: 'KEY' }).url });
  }
}

function templates(suite, group, found) {
  ['app', 'teeApp', 'dataset', 'workerpool', 'category', 'buyConf', 'dapps'].filter((name) => name in found).forEach((name) => suite.good(group, { name, template: found[name] }));
}

/** Every faucet is asked, and what would go out is kept. */
async function faucets(suite, sdk) {
  const asked = [];
  const at = sdk.from.resolve('cross-fetch', { paths: [sdk.from.resolve('iexec')] });
  sdk.from(at);
  const loaded = sdk.from.cache[at];
  const real = loaded.exports;
  loaded.exports = async (url, { method = 'GET', body } = {}) => {
    asked.push({ method, url, body: body && JSON.parse(body) });
    return { json: async () => ({}) };
  };
  const file = sdk.from.resolve('iexec/dist/common/modules/wallet');
  delete sdk.from.cache[file];
  const { getETH, getRLC } = sdk.from(file);
  const record = (chain, coin, answers) => {
    const waiting = asked.splice(0);
    const ways = answers.map(({ name, response }) => {
      const page = response.error && /https?:\S+/.exec(response.error)[0];
      return { name, ...(page ? { page } : waiting.shift()) };
    });
    if (waiting.length) throw Error('a faucet was asked twice');
    suite.good('faucet', { chain, coin, address: ADDRESS, ways });
  };
  for (const chain of ['ropsten', 'rinkeby', 'kovan', 'goerli']) record(chain, 'ETH', await getETH(chain, ADDRESS));
  for (const chain of ['goerli', 'viviani']) record(chain, 'RLC', await getRLC(chain, ADDRESS));
  await suite.judge('faucet', { chain: 'mainnet', coin: 'ETH', address: ADDRESS }, () => getETH('mainnet', ADDRESS), 'ways');
  loaded.exports = real;
  delete sdk.from.cache[file];
}

function requirements(suite, sdk) {
  const text = fs.readFileSync(path.join(sdk.folder, '@iexec/poco/contracts/modules/delegates/IexecPoco1Delegate.sol'), 'utf8');
  for (const [, condition, reason] of text.matchAll(/require\((.*),\s*'(iExecV5-matchOrders-0x..)'\);/g)) {
    suite.good('match', { reason, condition: condition.replace(/\s+/g, ' ').trim() });
  }
}

function deployment(suite, sdk) {
  Object.entries(DEPLOY).forEach(([contract, [file, names]]) => {
    const json = sdk.from(file);
    const face = new sdk.ethers.utils.Interface(json.abi || json);
    names.forEach((name) => {
      const one = face.getFunction(name); // throws if there is none, or several
      const outputs = one.outputs.map((each) => each.format());
      suite.good('deploy', { contract, name: one.name, function: { signature: one.format(), selector: face.getSighash(one), outputs, mutability: one.stateMutability } });
    });
  });
}

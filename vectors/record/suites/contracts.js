'use strict';

const { Suite } = require('../suite');
const { plain, valueOf } = require('./values_abi');

const ABOUT =
  'Every contract function and event of chain.md §3, §4, §8 by ethers from the ABI of PoCo and of the SDK. call: arguments ↔ calldata; ' +
  'answer: return data ↔ values; log: topics and data ↔ values. Integers are decimal text, bytes hex, tuples lists; `values` of a log has the names.';

const ERLC = ['approve', 'allowance', 'isKYC', 'deposit', 'withdraw', 'hasRole', 'KYC_MEMBER_ROLE', 'underlyingToken', 'balanceOf', 'transfer', 'approveAndCall'];
const GETTERS = ['owner', 'registry'];

// contract → [ABI file, functions (all when absent), events]
const SOURCES = {
  HUB: [
    '@iexec/poco/build/contracts-min/IexecInterfaceToken.json',
    [
      'domain', 'matchOrders', 'manageAppOrder', 'manageDatasetOrder', 'manageWorkerpoolOrder', 'manageRequestOrder', 'verifySignature', 'viewConsumed', 'viewDeal', 'viewTask', 'viewAccount', 'viewCategory',
      'countCategory', 'createCategory', 'owner', 'final_deadline_ratio', 'token', 'appregistry', 'datasetregistry', 'workerpoolregistry', 'claim', 'claimArray', 'initializeAndClaimArray', 'withdraw',
      'deposit', 'depositFor', 'depositForArray', 'withdrawTo', 'receiveApproval', 'balanceOf', 'frozenOf', 'transfer', 'transferFrom', 'approve', 'allowance', 'approveAndCall', 'initialize', 'initializeArray',
      'contribution_deadline_ratio', 'reveal_deadline_ratio', 'workerpool_stake_ratio', 'kitty_ratio', 'kitty_min', 'kitty_address', 'eip712domain_separator', 'verifyPresignature', 'verifyPresignatureOrSignature',
      'viewPresigned', 'viewScore', 'viewContribution', 'resultFor', 'callbackgas', 'teebroker', 'name', 'symbol', 'decimals', 'totalSupply', 'broadcastAppOrder', 'broadcastDatasetOrder', 'broadcastWorkerpoolOrder',
      'broadcastRequestOrder', 'contribute', 'reveal', 'finalize', 'contributeAndFinalize', 'reopen', 'groupmember_purpose',
    ],
    [
      'OrdersMatched', 'SchedulerNotice', 'ClosedAppOrder', 'ClosedDatasetOrder', 'ClosedWorkerpoolOrder', 'ClosedRequestOrder', 'SignedAppOrder', 'SignedDatasetOrder', 'SignedWorkerpoolOrder', 'SignedRequestOrder',
      'CreateCategory', 'TaskClaimed', 'TaskInitialize', 'TaskContribute', 'TaskConsensus', 'TaskReveal', 'TaskReopen', 'TaskFinalize', 'Transfer', 'Approval', 'Lock', 'Unlock', 'Reward', 'Seize',
      'AccurateContribution', 'FaultyContribution', 'BroadcastAppOrder', 'BroadcastDatasetOrder', 'BroadcastWorkerpoolOrder', 'BroadcastRequestOrder',
    ],
  ],
  HUB_NATIVE: ['@iexec/poco/build/contracts-min/IexecInterfaceNative.json', ['deposit', 'depositFor', 'depositForArray', 'withdraw'], []],
  APP_REGISTRY: ['@iexec/poco/build/contracts-min/AppRegistry.json', ['createApp', 'predictApp', 'isRegistered', 'balanceOf', 'tokenOfOwnerByIndex', 'ownerOf', 'totalSupply', 'tokenByIndex', 'transferFrom', 'safeTransferFrom', 'tokenURI'], ['Transfer']],
  DATASET_REGISTRY: ['@iexec/poco/build/contracts-min/DatasetRegistry.json', ['createDataset', 'predictDataset'], []],
  WORKERPOOL_REGISTRY: ['@iexec/poco/build/contracts-min/WorkerpoolRegistry.json', ['createWorkerpool', 'predictWorkerpool'], []],
  APP: ['@iexec/poco/build/contracts-min/App.json', ['m_appChecksum', 'm_appMREnclave', 'm_appMultiaddr', 'm_appName', 'm_appType', 'setName', ...GETTERS], []],
  DATASET: ['@iexec/poco/build/contracts-min/Dataset.json', ['m_datasetChecksum', 'm_datasetMultiaddr', 'm_datasetName', ...GETTERS], []],
  WORKERPOOL: ['@iexec/poco/build/contracts-min/Workerpool.json', ['m_schedulerRewardRatioPolicy', 'm_workerStakeRatioPolicy', 'm_workerpoolDescription', 'changePolicy', ...GETTERS], ['PolicyUpdate']],
  TOKEN: ['rlc-faucet-contract/build/contracts/RLC.json', ['balanceOf', 'transfer', 'approve', 'allowance', 'approveAndCall'], ['Transfer', 'Approval']],
  ERLC: ['@iexec/erlc/build/contracts-min/ERLCTokenSwap.json', ERLC, []],
  FOREIGN_BRIDGE: ['iexec/dist/common/abi/bridge/ForeignBridgeErcToNative.json', ['minPerTx', 'maxPerTx', 'dailyLimit', 'getCurrentDay', 'totalSpentPerDay', 'withinLimit'], ['RelayedMessage']],
  ENS_REGISTRY: ['@iexec/poco/build/contracts-min/ENSRegistry.json', ['resolver'], []],
  RESTRICTION: ['@iexec/poco/build/contracts-min/IERC734.json', ['keyHasPurpose'], []],
  CALLBACK: ['@iexec/poco/build/contracts-min/IOracleConsumer.json', ['receiveResult'], []],
  HOME_BRIDGE: ['iexec/dist/common/abi/bridge/HomeBridgeErcToNative.json', ['minPerTx', 'maxPerTx', 'dailyLimit', 'getCurrentDay', 'totalSpentPerDay', 'withinLimit'], ['AffirmationCompleted']],
};

// of PoCo 5.5 and 6 (chain.md §3.3, §13.4), which the packages above lack
const TODAY = [
  'function viewDeal(bytes32 dealid) view returns (tuple(tuple(address pointer, address owner, uint256 price) app, tuple(address pointer, address owner, uint256 price) dataset, tuple(address pointer, address owner, uint256 price) workerpool, uint256 trust, uint256 category, bytes32 tag, address requester, address beneficiary, address callback, string params, uint256 startTime, uint256 botFirst, uint256 botSize, uint256 workerStake, uint256 schedulerRewardRatio, address sponsor))',
  'function viewApp(address) view returns (tuple(address owner, string m_appName, string m_appType, bytes m_appMultiaddr, bytes32 m_appChecksum, bytes m_appMREnclave))',
  'function viewDataset(address) view returns (tuple(address owner, string m_datasetName, bytes m_datasetMultiaddr, bytes32 m_datasetChecksum))',
  'function viewWorkerpool(address) view returns (tuple(address owner, string m_workerpoolDescription, uint256 m_workerStakeRatioPolicy, uint256 m_schedulerRewardRatioPolicy))',
  'function addr(bytes32 node) view returns (address)',
  'event DealSponsored(bytes32 dealId, address sponsor)',
];

const full = (ethers, fragment) => fragment.format(ethers.utils.FormatTypes.full);

module.exports = async (sdk, random) => {
  const suite = new Suite('contracts', ABOUT, ['ethers', '@iexec/poco', '@iexec/erlc', 'rlc-faucet-contract', 'iexec']);
  const { ethers } = sdk;
  const values = (types) => types.map((type) => valueOf(random, ethers, type));

  const record = (contract, face, names, events, rounds) => {
    const fragments = Object.values(face.functions).filter((one) => names.includes(one.name));
    names.filter((name) => !fragments.some((one) => one.name === name)).forEach((name) => { throw Error(`${contract} has no ${name}`); });
    fragments.forEach((fragment) => {
      const about = { contract, name: fragment.name, signature: fragment.format(), full: full(ethers, fragment), selector: face.getSighash(fragment) };
      const count = fragment.inputs.length ? rounds : 1;
      for (let index = 0; index < count; index += 1) {
        const args = values(fragment.inputs);
        suite.good('call', { ...(index ? { contract, name: fragment.name, signature: about.signature } : about), args, data: face.encodeFunctionData(fragment, args) });
      }
      for (let index = 0; index < (fragment.outputs && fragment.outputs.length ? rounds : 0); index += 1) {
        const data = face.encodeFunctionResult(fragment, values(fragment.outputs));
        const found = face.decodeFunctionResult(fragment, data);
        suite.good('answer', { contract, name: fragment.name, signature: about.signature, data, values: fragment.outputs.map((type, at) => plain(type, found[at])) });
        cut(suite, ethers, fragment, contract, data, random);
      }
    });
    Object.values(face.events).filter((one) => events.includes(one.name)).forEach((fragment) => {
      for (let index = 0; index < 4; index += 1) {
        const { topics, data } = face.encodeEventLog(fragment, values(fragment.inputs));
        const found = face.decodeEventLog(fragment, data, topics);
        const named = {};
        fragment.inputs.forEach((type, at) => { named[type.name || String(at)] = plain(type, found[at]); });
        suite.good('log', { contract, name: fragment.name, full: full(ethers, fragment), topics, data, values: named });
        const log = { contract, name: fragment.name, full: full(ethers, fragment) };
        if (index === 0) {
          refuse(suite, 'log', { ...log, topics: topics.slice(0, -1), data }, () => face.decodeEventLog(fragment, data, topics.slice(0, -1)));
          refuse(suite, 'log', { ...log, topics: [random.hex(32), ...topics.slice(1)], data }, () => face.decodeEventLog(fragment, data, [random.hex(32), ...topics.slice(1)]));
          if (data !== '0x') refuse(suite, 'log', { ...log, topics, data: data.slice(0, -64) }, () => face.decodeEventLog(fragment, data.slice(0, -64), topics));
        }
      }
    });
  };

  Object.entries(SOURCES).forEach(([contract, [file, names, events]]) => {
    const json = sdk.from(file);
    const face = new ethers.utils.Interface(json.abi || json);
    record(contract, face, names, events, contract === 'HUB' ? 4 : 3);
  });
  const match = new ethers.utils.Interface(sdk.from(SOURCES.HUB[0]).abi).getFunction('matchOrders').inputs.map((type) => type.format(ethers.utils.FormatTypes.full));
  const today = new ethers.utils.Interface([
    ...TODAY,
    `function sponsorMatchOrders(${match}) returns (bytes32)`,
    `function computeDealVolume(${match}) view returns (uint256)`,
    `function assertDatasetDealCompatibility(${match[1]}, bytes32) view`,
  ]);
  record('HUB_TODAY', today, ['viewDeal', 'viewApp', 'viewDataset', 'viewWorkerpool', 'sponsorMatchOrders', 'computeDealVolume', 'assertDatasetDealCompatibility'], ['DealSponsored'], 4);
  record('ENS', today, ['addr'], [], 3);
  return suite;
};

/** Answers cut short: what ethers cannot decode. */
function cut(suite, ethers, fragment, contract, data, random) {
  const bytes = (data.length - 2) / 2;
  if (!random.chance(30)) return;
  const short = data.slice(0, 2 + 2 * random.below(bytes));
  if (short.padEnd(data.length, '0') === data) return; // only padding is gone: the suite abi tells
  refuse(suite, 'answer', { contract, name: fragment.name, signature: fragment.format(), data: short }, () => {
    const found = ethers.utils.defaultAbiCoder.decode(fragment.outputs, short);
    JSON.stringify(fragment.outputs.map((type, at) => plain(type, found[at])));
  });
}

function refuse(suite, group, item, run) {
  try {
    run();
  } catch (error) {
    suite.bad(group, item, error.reason || error.message);
  }
}

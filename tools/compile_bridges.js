'use strict';

// Bytecode of the sandbox's bridge contracts, made from their source:
//
//     node tools/compile_bridges.js > iexec_lite/sandbox/contracts/bridges.json
//
// Needs solc from npm (tests/npm, python tools/npm_install.py). A test compares the file with this.

const fs = require('fs');
const path = require('path');

const root = path.join(__dirname, '..');
const modules = process.env.IEXEC_LITE_NPM || path.join(root, '.tox', 'npm', 'node_modules');
const solc = require(path.join(modules, 'solc'));

const name = 'Bridges.sol';
const content = fs.readFileSync(path.join(root, 'iexec_lite', 'sandbox', 'contracts', name), 'utf8');
const output = JSON.parse(solc.compile(JSON.stringify({
  language: 'Solidity',
  sources: { [name]: { content } },
  settings: {
    evmVersion: 'berlin', // the sandbox's node
    optimizer: { enabled: true, runs: 200 },
    metadata: { appendCBOR: false, bytecodeHash: 'none' },
    outputSelection: { '*': { '*': ['evm.bytecode.object'] } },
  },
})));
if (output.errors) throw Error(output.errors.map((error) => error.formattedMessage).join('\n'));
const found = { compiler: solc.version() };
for (const contract of ['ForeignBridge', 'HomeBridge']) {
  found[contract] = `0x${output.contracts[name][contract].evm.bytecode.object}`;
}
process.stdout.write(`${JSON.stringify(found, null, 1)}\n`);

'use strict';

// Record every suite of vectors/ from the JavaScript packages of package.json.
//
//     npm ci --ignore-scripts && node record.js [suite…]
//
// The same bytes come out of every run: randomness is seeded (random.js), no clock is read. Python
// is not involved. JavaScript V6 opens results with PKCS#1 v1.5, which Node has switched off: the
// recorder starts itself again with the switch that brings it back.

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const FLAG = '--security-revert=CVE-2023-46809';
if (!process.execArgv.includes(FLAG)) {
  const again = spawnSync(process.execPath, [FLAG, __filename, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(again.status === null ? 1 : again.status);
}

const { load, ROOT } = require('./sdk');
const { Random } = require('./random');

// what the LICENSE files say; the "license" words of iExec's package.json files are npm's default
const LICENCES = {
  '@iexec/poco': 'Apache-2.0',
  ethers: 'MIT',
  'ethers-typed': 'MIT',
  iexec: 'Apache-2.0',
  'iexec-9': 'Apache-2.0',
  'iexec-contracts-js-client': 'Apache-2.0',
  '@iexec/erlc': 'Apache-2.0',
  'rlc-faucet-contract': 'Apache-2.0',
  multiaddr: 'MIT',
  'aes-js': 'MIT',
  jszip: 'MIT',
};

async function main(wanted) {
  const sdk = load();
  const root = path.join(ROOT, 'vectors');
  const manifestPath = path.join(root, 'MANIFEST.json');
  const manifest = fs.existsSync(manifestPath) ? JSON.parse(fs.readFileSync(manifestPath)) : {};
  const names = fs.readdirSync(path.join(__dirname, 'suites')).filter((name) => !name.startsWith('values')).map((name) => name.replace('.js', ''));
  for (const name of names.filter((one) => wanted.length === 0 || wanted.includes(one))) {
    const random = new Random(`iexec_lite vectors: ${name}`);
    random.takeOver();
    const suite = await require(`./suites/${name}`)(sdk, random);
    manifest[suite.name] = suite.write(root, sdk, LICENCES);
    Random.giveBack();
    const files = manifest[suite.name].files;
    console.log(suite.name, Object.entries(files).map(([file, { count }]) => `${file} ${count}`).join(', '));
  }
  const sorted = Object.fromEntries(Object.keys(manifest).sort().filter((name) => names.includes(name) || manifest[name].record.startsWith('written')).map((name) => [name, manifest[name]]));
  fs.writeFileSync(manifestPath, `${JSON.stringify(sorted, null, 2)}\n`);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});

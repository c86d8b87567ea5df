'use strict';

const { Suite } = require('../suite');
const v = require('./values');

const ABOUT =
  'Personal messages (EIP-191) by ethers: message (hex) and key → digest and signature; compact is the 64-byte form (EIP-2098). ' +
  'sms: the challenge that authorises a secret and its signature, by the SDK (services.md §2.2). recover: signatures nobody can have made.';

module.exports = async (sdk, random) => {
  const suite = new Suite('messages', ABOUT, ['ethers', 'iexec']);
  const { ethers } = sdk;
  const { utils } = ethers;
  const sign = async (key, bytes) => new ethers.Wallet(key).signMessage(bytes);

  for (let index = 0; index < 150; index += 1) {
    const key = v.key(random);
    const message = index < 3 ? Buffer.alloc(index) : index % 2 ? random.bytes(random.below(200)) : Buffer.from(random.text(60), 'utf8');
    const signature = await sign(key, message);
    suite.good('personal', {
      key,
      address: utils.computeAddress(key),
      message: `0x${message.toString('hex')}`,
      digest: utils.hashMessage(message),
      signature,
      compact: utils.splitSignature(signature)._vs ? utils.splitSignature(signature).r + utils.splitSignature(signature)._vs.slice(2) : undefined,
    });
  }

  const H = (text) => utils.keccak256(Buffer.from(text, 'utf8'));
  const challenge = (...parts) => utils.keccak256(utils.concat([H('IEXEC_SMS_DOMAIN'), ...parts]));
  for (let index = 0; index < 40; index += 1) {
    const key = v.key(random);
    const address = v.address(random, ethers);
    const value = index ? random.text(60) : '';
    const name = random.pick(['iexec-result-encryption-public-key', 'iexec-result-iexec-ipfs-token', 'iexec-result-dropbox-token']);
    const web3 = await pushed(sdk, key, (sms, contracts) => sms.pushWeb3Secret(contracts, 'http://127.0.0.1:9', address, value));
    const owner = utils.computeAddress(key);
    const web2 = await pushed(sdk, key, (sms, contracts) => sms.pushWeb2Secret(contracts, 'http://127.0.0.1:9', name, value));
    if (web3.challenge !== challenge(address, H(value)) || web2.challenge !== challenge(owner, H(name), H(value))) throw Error('the SMS challenge is not as described');
    suite.good('smsWeb3', { key, address, value, ...web3 });
    suite.good('smsWeb2', { key, owner, name, value, ...web2 });
  }

  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const word = (n) => n.toString(16).padStart(64, '0');
  const digest = random.hex(32);
  const good = await sign(v.key(random), random.bytes(3));
  const [r, s] = [good.slice(2, 66), good.slice(66, 130)];
  const signatures = ['0x', '0x00', good.slice(0, -4), `${good}00`, `0x${word(0n)}${s}1b`, `0x${r}${word(0n)}1b`, `0x${word(0n)}${word(0n)}1b`, `0x${word(order)}${s}1b`, `0x${r}${word(order)}1b`, `0x${'ff'.repeat(64)}1b`, `0x${word(5n)}${s}1b`];
  signatures.forEach((signature) => {
    try {
      utils.recoverAddress(digest, signature);
    } catch (error) {
      suite.bad('recover', { digest, signature }, error.reason || error.message);
    }
  });
  // ethers reads any other v as 27 or 28 by its oddness; ecrecover knows no account for it
  [2, 29, 30, 26, 255, 35].forEach((number) => {
    const signature = `0x${r}${s}${number.toString(16).padStart(2, '0')}`;
    let js;
    try {
      js = { value: utils.recoverAddress(digest, signature) };
    } catch (error) {
      suite.bad('recover', { digest, signature }, error.reason);
      return;
    }
    suite.differ('recover', { digest, signature }, js, { error: true }, 'v is 0, 1, 27 or 28 (chain.md §2.8)');
  });
  return suite;
};

/** What the SDK signs when it pushes a secret: the challenge, seen by the signer, and the signature. */
async function pushed(sdk, key, push) {
  const wallet = new sdk.ethers.Wallet(key);
  const seen = {};
  const signer = {
    getAddress: () => wallet.getAddress(),
    async signMessage(message) {
      seen.challenge = sdk.ethers.utils.hexlify(message);
      seen.signature = await wallet.signMessage(message);
      throw Error('seen');
    },
  };
  await push(smsOf(sdk), { signer, provider: {} }).catch(() => {});
  return seen;
}

let sms;

/** The SMS module of the SDK, loaded once more with a client that answers "no such secret". */
function smsOf(sdk) {
  if (sms) return sms;
  const api = sdk.common('utils/api-utils');
  const real = api.httpRequest;
  api.httpRequest = () => async () => ({ ok: false, status: 404 });
  delete sdk.from.cache[sdk.from.resolve('iexec/dist/common/modules/sms')];
  sms = sdk.common('modules/sms');
  api.httpRequest = real;
  return sms;
}

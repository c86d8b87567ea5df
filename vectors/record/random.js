'use strict';

// Randomness that is the same in every run: SHA-256 of a seed and a counter.

const crypto = require('crypto');
const { syncBuiltinESMExports } = require('module');

const realRandomBytes = crypto.randomBytes;

class Random {
  constructor(seed) {
    this.seed = String(seed);
    this.counter = 0;
    this.pool = Buffer.alloc(0);
  }

  bytes(length) {
    while (this.pool.length < length) {
      const block = crypto.createHash('sha256').update(`${this.seed}/${this.counter}`).digest();
      this.counter += 1;
      this.pool = Buffer.concat([this.pool, block]);
    }
    const taken = this.pool.subarray(0, length);
    this.pool = this.pool.subarray(length);
    return Buffer.from(taken);
  }

  hex(length) {
    return `0x${this.bytes(length).toString('hex')}`;
  }

  /** An integer from 0 to limit - 1. */
  below(limit) {
    return this.bytes(6).readUIntBE(0, 6) % limit;
  }

  between(low, high) {
    return low + this.below(high - low + 1);
  }

  chance(percent) {
    return this.below(100) < percent;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  some(list, percent = 50) {
    return list.filter(() => this.chance(percent));
  }

  shuffle(list) {
    const result = [...list];
    for (let i = result.length - 1; i > 0; i -= 1) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j], result[i]];
    }
    return result;
  }

  /** A BigInt of up to that many bits; short ones are as likely as long ones. */
  uint(bits = 256) {
    const length = this.between(0, bits);
    if (length === 0) return 0n;
    const raw = BigInt(`0x${this.bytes(32).toString('hex')}`);
    return (raw & ((1n << BigInt(length)) - 1n)) | (1n << BigInt(length - 1));
  }

  /** Text that a JSON writer or a UTF-8 encoder may get wrong. */
  text(limit = 24) {
    const alphabets = [
      'abcdefghijklmnopqrstuvwxyz0123456789',
      ' .,:;-_/\\"\'{}[]<>&$%?=+*#@!~`^|',
      'éàüßñøЖжλπ中文字日本語한국',
      '\u0000\u0001\u0007\b\t\n\u000b\f\r\u001f\u007f\u0080\u00a0\u2028\u2029\ufeff\ufffd',
      ['😀', '🚀', '👩‍🔬', '𝒳', 'é', '🇫🇷'],
    ];
    const length = this.below(limit + 1);
    let result = '';
    for (let i = 0; i < length; i += 1) {
      const alphabet = this.chance(60) ? alphabets[0] : this.pick(alphabets);
      result += this.pick(Array.from(alphabet));
    }
    return result;
  }

  /** Make every library in this process draw from here (salts, keys, initial vectors). */
  takeOver() {
    crypto.randomBytes = (length) => this.bytes(length);
    syncBuiltinESMExports();
  }

  static giveBack() {
    crypto.randomBytes = realRandomBytes;
    syncBuiltinESMExports();
  }
}

module.exports = { Random };

'use strict';

// A suite: cases in groups, written as one JSON file per verdict, one case a line.

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const VERDICTS = ['valid', 'invalid', 'skips'];

class Suite {
  /** name: the folder; about: what a case says; sources: package names that the answers are from. */
  constructor(name, about, sources) {
    Object.assign(this, { name, about, sources });
    VERDICTS.forEach((verdict) => {
      this[verdict] = {};
    });
  }

  /** A case that must come out the same. */
  good(group, item) {
    this.add('valid', group, item);
  }

  /** A case that must fail; `reason` is what JavaScript said. */
  bad(group, item, reason) {
    this.add('invalid', group, { ...item, reason: String(reason).slice(0, 160) });
  }

  /**
   * A case where Python differs on purpose: `js` is what JavaScript does ({value} or {error}),
   * `ours` what we do ({value} or {error: true}), `why` the reason.
   */
  differ(group, item, js, ours, why) {
    this.add('skips', group, { ...item, js, ours, why });
  }

  /** Run `make`: its value makes a good case, its error a bad one. */
  async judge(group, item, make, key = 'value') {
    let value;
    try {
      value = await make();
    } catch (error) {
      this.bad(group, item, error.message || error);
      return undefined;
    }
    this.good(group, { ...item, [key]: value });
    return value;
  }

  add(verdict, group, item) {
    (this[verdict][group] = this[verdict][group] || []).push(item);
  }

  /** Write the three files below `root`; returns the entry of the manifest. */
  write(root, sdk, licences) {
    const folder = path.join(root, this.name);
    fs.mkdirSync(folder, { recursive: true });
    const files = {};
    VERDICTS.forEach((verdict) => {
      const text = render(this[verdict]);
      fs.writeFileSync(path.join(folder, `${verdict}.json`), text);
      const groups = {};
      Object.entries(this[verdict]).forEach(([group, items]) => {
        groups[group] = items.length;
      });
      files[`${verdict}.json`] = {
        sha256: crypto.createHash('sha256').update(text).digest('hex'),
        count: Object.values(groups).reduce((sum, count) => sum + count, 0),
        groups,
      };
    });
    return {
      about: this.about,
      sources: this.sources.map((name) => ({ package: packageName(sdk, name), version: sdk.version(name), licence: licences[name] })),
      record: `cd vectors/record && npm ci --ignore-scripts && node record.js ${this.name}`,
      files,
    };
  }
}

/** The name that an alias of package.json stands for. */
function packageName(sdk, name) {
  return JSON.parse(fs.readFileSync(path.join(sdk.folder, name, 'package.json'))).name;
}

/** JSON with one case a line; lone surrogates stay escaped, other text is plain UTF-8. */
function render(groups) {
  const blocks = Object.entries(groups).map(([group, items]) => {
    const lines = items.map((item) => `    ${JSON.stringify(item)}`).join(',\n');
    return `  ${JSON.stringify(group)}: [\n${lines}\n  ]`;
  });
  return blocks.length ? `{\n${blocks.join(',\n')}\n}\n` : '{}\n';
}

module.exports = { Suite, VERDICTS };

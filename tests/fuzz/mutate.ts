/** Seeded damage to files. The same seed, corpus and code give the same bytes. */
import { uniform } from '../support/random.js';

export interface Random {
  /** A whole number in [0, n). */
  below(n: number): number;
  pick<T>(list: readonly T[]): T;
}

export function random(seed: number): Random {
  const next = uniform(seed);
  const below = (n: number): number => Math.floor(next() * n);
  return { below, pick: (list) => list[below(list.length)] };
}

const numbers = ['0', '1', '-1', '2', '3', '7', '0.5', '-0', '1e308', '1e400', '2147483647', '4294967296', '9007199254740993', '99999999999999999999', '1e-320'];

/** Bytes: flipped, set, cut, doubled, inserted, moved; a few times. */
export function damageBytes(bytes: Uint8Array, r: Random): Uint8Array {
  let out = bytes.slice();
  for (let n = 1 + r.below(4); n > 0; n--) {
    const at = r.below(out.length + 1);
    const size = 1 + r.below(r.pick([1, 4, 64, 1000]));
    const kind = r.below(7);
    if (kind === 0 && at < out.length) out[at] ^= 1 << r.below(8);
    else if (kind === 1 && at < out.length) out[at] = r.pick([0, 1, 0x20, 0x22, 0x5c, 0x7f, 0x80, 0xff]);
    else if (kind === 2) out = joined(out.subarray(0, at), out.subarray(at + size));
    else if (kind === 3) out = out.slice(0, at);
    else if (kind === 4) out = joined(out.subarray(0, at), out.subarray(at, at + size), out.subarray(at));
    else if (kind === 5) out = joined(out.subarray(0, at), Uint8Array.from({ length: size }, () => r.below(256)), out.subarray(at));
    else {
      const rest = joined(out.subarray(0, at), out.subarray(at + size));
      const to = r.below(rest.length + 1);
      out = joined(rest.subarray(0, to), out.subarray(at, at + size), rest.subarray(to));
    }
  }
  return out;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Tokens of a text: replaced by others of the corpus, dropped, doubled, swapped; numbers by numbers that hurt. */
export function damageText(text: string, words: readonly string[], r: Random): string {
  const tokens = text.match(/\s+|[A-Za-z_]\w*|[\d.]+|"[^"]*"|[^\s\w]/g) ?? [];
  for (let n = 1 + r.below(4); n > 0; n--) {
    const at = r.below(tokens.length);
    switch (r.below(6)) {
      case 0: tokens[at] = r.pick(words); break;
      case 1: tokens.splice(at, 1 + r.below(3)); break;
      case 2: tokens.splice(at, 0, tokens[r.below(tokens.length)] ?? ''); break;
      case 3: [tokens[at], tokens[r.below(tokens.length)]] = [tokens[r.below(tokens.length)], tokens[at]]; break;
      case 4: {
        const digits = tokens.flatMap((t, i) => (/^\d/.test(t) ? [i] : []));
        if (digits.length > 0) tokens[r.pick(digits)] = r.pick(numbers);
        break;
      }
      default: tokens.splice(at, 0, r.pick(['(', ')', '[', ']', '{', '}', '|', '..', ',', '\n', '#', '"']).repeat(1 + r.below(r.pick([1, 2, 3000]))));
    }
  }
  return tokens.join('');
}

/** A value somewhere in a JSON document: replaced, removed, doubled or nested. */
export function damageJson(json: unknown, r: Random): unknown {
  const copy = structuredClone(json);
  for (let n = 1 + r.below(3); n > 0; n--) {
    let holder = copy as Record<string, unknown>;
    for (;;) {
      const keys = Object.keys(holder);
      if (keys.length === 0) break;
      const key = r.pick(keys);
      const value = holder[key];
      if (typeof value === 'object' && value !== null && r.below(8) > 0) {
        holder = value as Record<string, unknown>;
        continue;
      }
      change(holder, key, r);
      break;
    }
  }
  return copy;
}

function change(holder: Record<string, unknown>, key: string, r: Random): void {
  const value = holder[key];
  switch (r.below(6)) {
    case 0: delete holder[key]; break;
    case 1: holder[key] = r.pick<unknown>([null, true, '', 'x', [], {}, -1, 0, 0.5, 1e308, 2 ** 31, 2 ** 53, [value], { [key]: value }, '__proto__', 'a'.repeat(5000)]); break;
    case 2: if (typeof value === 'number') holder[key] = value + r.pick([-1, 1, 0.5, -value * 2, value, 2 ** 40]); break;
    case 3: if (Array.isArray(value)) value.push(...value); break;
    case 4: holder[`${key}2`] = value; break;
    default: holder[key] = nested(value, r.below(r.pick([2, 20, 20_000])));
  }
}

function nested(value: unknown, depth: number): unknown {
  let out = value;
  for (let i = 0; i < depth; i++) out = [out];
  return out;
}

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { elaborate } from '../../../compiler/check/elaborate.js';
import { verifyModule } from '../../../compiler/ir/verify-graph.js';
import { loadProgram } from '../../../dsl/modules.js';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const standard = readdirSync(new URL('dsl/std/', root)).filter((f) => f.endsWith('.firn')).map((f) => ({ path: `std/${f}`, text: read(`dsl/std/${f}`) }));
const specs = ['k2-mini', 'mixtral-8x7b', 'llama-3.1-405b'].map((name) => read(`examples/${name}.firn`));

function generator(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) / 0x7fffffff;
}

/** One to three words or signs of the text deleted, replaced, swapped or doubled. */
function mutate(text: string, random: () => number): string {
  const tokens = text.match(/[A-Za-z_]\w*|\d[\d_.e-]*|"[^"]*"|\s+|[^\s\w]/g) ?? [];
  const solid = tokens.flatMap((t, i) => (/^\s/.test(t) ? [] : [i]));
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const words = [...tokens.filter((t) => /^\w/.test(t)), 'none', '0', '2.5', 'tokens', 'position', 'true'];
  for (let n = 1 + Math.floor(random() * 3); n > 0; n--) {
    const [i, j] = [pick(solid), pick(solid)];
    const kind = random();
    if (kind < 0.2) tokens[i] = '';
    else if (kind < 0.7) tokens[i] = /^\w/.test(tokens[i]) ? pick(words) : pick(['+', '-', '*', '/', '@', '|', ',', '==', '<']);
    else if (kind < 0.9) [tokens[i], tokens[j]] = [tokens[j], tokens[i]];
    else tokens[i] += ` ${tokens[i]}`;
  }
  return tokens.join('');
}

/** Broken specs and broken layers: diagnostics, or a valid module; never an exception. */
test.each([1, 2, 3])('specs and layers with typing mistakes are answered, never crash (seed %d)', (seed) => {
  const random = generator(seed);
  for (let n = 0; n < 40; n++) {
    const spec = specs[Math.floor(random() * specs.length)];
    const broken = random() < 0.6 ? Math.floor(random() * standard.length) : -1;
    const files = standard.map((s, i) => (i === broken ? { ...s, text: mutate(s.text, random) } : s));
    const program = loadProgram({ path: 'm.firn', text: broken < 0 ? mutate(spec, random) : spec }, { standard: () => files, read: () => undefined });
    const result = elaborate(program, { taps: true });
    if (result.module === undefined) expect(program.diagnostics.length + result.diagnostics.length).toBeGreaterThan(0);
    else if (program.diagnostics.length === 0) expect(verifyModule(result.module)).toEqual([]);
  }
});

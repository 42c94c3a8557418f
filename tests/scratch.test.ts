import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'vitest';
import type { Item } from '../dsl/ast.js';
import { parse } from '../dsl/parse.js';
import { renderDiagnostic } from '../dsl/diagnostics.js';
import { elaborate } from '../compiler/check/elaborate.js';
import { countParameters } from '../compiler/check/model-info.js';
import { verifyModule } from '../compiler/ir/verify-graph.js';
import { printModule } from '../compiler/ir/print-graph.js';
import type { LoadedFile } from '../compiler/check/program.js';

const sources: { path: string; text: string }[] = [];
const cache = new Map<string, LoadedFile>();
function load(path: string): LoadedFile {
  const known = cache.get(path); if (known) return known;
  const source = { path, text: readFileSync(path, 'utf8') };
  sources.push(source);
  const r = parse(source);
  for (const d of r.diagnostics) console.log(renderDiagnostic(d, sources));
  const imports = new Map<string, { item: Item; from: LoadedFile }>();
  const loaded = { file: r.file!, imports };
  cache.set(path, loaded);
  for (const u of r.file!.uses) for (const n of u.names) {
    for (const f of u.module === 'std' ? readdirSync('dsl/std').map((x) => `dsl/std/${x}`) : [u.module.replace('std.', 'dsl/std/') + '.firn']) {
      const from = load(f);
      const item = from.file.items.find((i) => i.name.name === n.name);
      if (item) imports.set(n.name, { item, from });
    }
    if (!imports.has(n.name)) console.log('no import', n.name);
  }
  return loaded;
}
test('scratch', () => {
  const file = process.env.SPEC ?? 'examples/kimi-k2.firn';
  const main = load(file);
  for (let k = 0; k < Number(process.env.TIMES ?? 1); k++) {
    const t = performance.now();
    const r = elaborate({ main }, { taps: process.env.TAPS === '1' });
    console.log('ms', performance.now() - t);
    if (k > 0) continue;
    for (const d of r.diagnostics) console.log(renderDiagnostic(d, sources));
    if (!r.module) return;
    console.log(countParameters(r.module), r.module.params.length, r.module.states.length);
    console.log(JSON.stringify(r.module.taps).slice(0, 400));
    console.log(verifyModule(r.module));
    if (process.env.PRINT) console.log(printModule(r.module));
  }
});

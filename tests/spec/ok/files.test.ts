import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderDiagnostic } from '../../../dsl/diagnostics.js';
import { parse } from '../../../dsl/parse.js';

const files = [...readdirSync('dsl/std').filter((f) => f.endsWith('.firn')).map((f) => `dsl/std/${f}`), ...readdirSync('examples').map((f) => `examples/${f}`)];

test.each(files)('%s parses', (path) => {
  const source = { path, text: readFileSync(path, 'utf8') };
  const { file, diagnostics } = parse(source);
  expect(diagnostics.map((d) => renderDiagnostic(d, [source]))).toEqual([]);
  expect(file!.items.length).toBeGreaterThan(0);
});

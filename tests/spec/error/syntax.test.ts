import { readdirSync, readFileSync } from 'node:fs';
import fc from '../../support/properties.js';
import { expect, test } from 'vitest';
import { FirnError, renderDiagnostic, type Diagnostic } from '../../../dsl/diagnostics.js';
import { parse } from '../../../dsl/parse.js';
import { print } from '../../../dsl/print.js';
import { syntaxCases } from './syntax-cases.js';

function diagnose(text: string): readonly Diagnostic[] {
  return parse({ path: 'a.firn', text }).diagnostics;
}

function frames(text: string): string {
  return diagnose(text).map((d) => renderDiagnostic(d, [{ path: 'a.firn', text }])).join('\n\n');
}

test.each(syntaxCases.map((c) => [c.name, c] as const))('%s', (_, { text, errors }) => {
  const found = diagnose(text);
  expect(found.map((d) => `${d.code} ${d.span.line}:${d.span.column} ${text.slice(d.span.start, d.span.end).slice(0, 24)}`.trimEnd())).toEqual(errors);
  for (const d of found) {
    const lines = renderDiagnostic(d, [{ path: 'a.firn', text }]).split('\n');
    expect(lines[0]).toBe(`${d.severity}[${d.code}]: ${d.message}`);
    expect(lines[1].trim()).toBe(`--> a.firn:${d.span.line}:${d.span.column}`);
    const marks = lines[lines.findIndex((l) => l.startsWith(`${d.span.line} |`)) + 1];
    expect(marks.slice(marks.indexOf('|') + 2).indexOf('^')).toBe(d.span.column - 1);
  }
});

test('every syntax message has a case', () => {
  const tested = new Set(syntaxCases.flatMap((c) => c.errors.map((e) => e.slice(0, 5))));
  const catalogue = [...readFileSync('dsl/messages.ts', 'utf8').matchAll(/error\('(E00\d\d)'/g)].map((m) => m[1]);
  expect(catalogue.filter((code) => !tested.has(code))).toEqual([]);
  const all = [...readFileSync('dsl/messages.ts', 'utf8').matchAll(/error\('(E\d{4})'/g)].map((m) => m[1]);
  expect(new Set(all).size).toBe(all.length);
});

test('a frame shows the line, the caret, the other place and the way out', () => {
  expect(frames('model M {\n  dimm hidden = 3\n\n\n  x = f(a,\n  dim y = 4\n  z = [a, b)\n}\n')).toMatchInlineSnapshot(`
    "error[E0011]: \`dimm\` does not start a statement
     --> a.firn:2:3
      |
    2 |   dimm hidden = 3
      |   ^^^^
      = note: did you mean \`dim\`?
      = note: a statement is \`name = expression\` or starts with a keyword
      = fix: write \`dim\`

    error[E0003]: \`(\` is never closed
     --> a.firn:6:3
      |
    5 |   x = f(a,
      |        - \`(\` opened here
    6 |   dim y = 4
      |   ^^^ expected \`)\` before this

    error[E0006]: \`[\` is closed by \`)\`
     --> a.firn:7:12
      |
    7 |   z = [a, b)
      |       -    ^ expected \`]\`
      |       \`[\` opened here
      = fix: write \`]\`"
  `);
});

test('a diagnostic over two files shows both', () => {
  const span = (file: string, start: number, end: number, line: number, column: number) => ({ file, start, end, line, column });
  const d: Diagnostic = {
    code: 'E9999', severity: 'error', message: 'axes differ', span: span('b.firn', 4, 9, 1, 5), label: 'is 3', notes: [
      { span: span('b.firn', 0, 1, 1, 1), text: 'for this' },
      { span: span('a.firn', 2, 4, 12, 3), text: 'declared 4 here' },
      { text: 'why' },
    ],
  };
  expect(renderDiagnostic(d, [{ path: 'b.firn', text: 'x = wrong\n' }, { path: 'a.firn', text: `${'\n'.repeat(11)}  dims\n` }])).toMatchInlineSnapshot(`
    "error[E9999]: axes differ
      --> b.firn:1:5
       |
     1 | x = wrong
       | -   ^^^^^ is 3
       | for this
      ::: a.firn:12:3
       |
    12 |   dims
       |   -- declared 4 here
       = note: why"
  `);
  expect(renderDiagnostic(d, [])).toContain('--> b.firn:1:5');
});

test('FirnError carries what was found and prints it', () => {
  const text = 'model M {\n  x = f(a b)\n}\n';
  const error = new FirnError(diagnose(text), [{ path: 'a.firn', text }]);
  expect(error.diagnostics.length).toBe(1);
  expect(error.message).toBe(frames(text));
});

test('fixes repair what they are offered for', () => {
  for (const text of ['model M {\n  dimm hidden = 3\n}\n', 'model M {\n  x = a − b\n}\n', 'fn f(x: itn) = x\n', 'const x = [a, b)\n']) {
    const edit = diagnose(text)[0].fix!.edits[0];
    expect(diagnose(text.slice(0, edit.span.start) + edit.replacement + text.slice(edit.span.end))).toEqual([]);
  }
});

test('nesting without brackets is limited too', () => {
  expect(diagnose(`const x = ${'if a then b else '.repeat(20_000)}c\n`).map((d) => d.code)).toEqual(['E0016']);
  expect(diagnose(`const x = ${'- '.repeat(20_000)}c\n`).map((d) => d.code)).toEqual(['E0024']);
  expect(diagnose(`const x = a${'.b'.repeat(20_000)}\n`).map((d) => d.code)).toEqual(['E0024']);
});

const files = [...readdirSync('dsl/std').filter((f) => f.endsWith('.firn')).map((f) => `dsl/std/${f}`), ...readdirSync('examples').map((f) => `examples/${f}`), 'tests/spec/ok/kitchen-sink.firn'];
const texts = files.map((path) => readFileSync(path, 'utf8'));
const pieces = ['(', ')', '[', ']', '{', '}', '=', '+=', ':', ',', '|', '->', '<-', '=>', '"', '#', '\n', '\\', '@', '**', '..', '?', ' if ', ' match ', ' else ', ' dim ', ' layer f(', ' 0.5 ', ' 1e', '\u0000', '\u{1F9CA}', '\r\n', ' repeat l[3] as i {'];

interface Mutation { readonly kind: 'delete' | 'insert' | 'swap' | 'byte'; readonly at: number; readonly piece: string }

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('delete', 'insert', 'swap', 'byte'), at: fc.nat(1 << 20), piece: fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 2, unit: 'binary' })),
});

/** Deletes, inserts or swaps whole tokens, or overwrites one character. */
function mutate(text: string, { kind, at, piece }: Mutation): string {
  if (kind === 'byte') return text.slice(0, at % (text.length + 1)) + piece + text.slice((at % (text.length + 1)) + 1);
  const tokens = text.match(/\w+|\s+|[^\w\s]/g) ?? [];
  const i = at % (tokens.length + 1);
  if (kind === 'delete') tokens.splice(i, 1 + (at % 3));
  else if (kind === 'insert') tokens.splice(i, 0, piece);
  else tokens.splice(i, 2, tokens[i + 1] ?? '', tokens[i] ?? '');
  return tokens.join('');
}

test('no text makes the parser throw, hang or point outside of the text', () => {
  const runs = Number(process.env.FIRN_FUZZ_RUNS ?? 150);
  fc.assert(fc.property(fc.constantFrom(...texts), fc.array(mutation, { minLength: 1, maxLength: 8 }), (original, mutations) => {
    const text = mutations.reduce(mutate, original);
    const started = performance.now();
    const { file, diagnostics } = parse({ path: 'a.firn', text });
    expect(performance.now() - started).toBeLessThan(1000);
    for (const d of diagnostics) {
      expect(d.span.start >= 0 && d.span.end >= d.span.start && d.span.end <= text.length, JSON.stringify(d.span)).toBe(true);
      expect(renderDiagnostic(d, [{ path: 'a.firn', text }])).toContain('^');
    }
    if (diagnostics.length === 0) expect(print(parse({ path: 'a.firn', text: print(file!) }).file!)).toBe(print(file!));
    else expect(new Set(diagnostics.map((d) => `${d.code} ${d.span.start} ${d.notes[0]?.span?.start}`)).size).toBe(diagnostics.length);
  }), { numRuns: runs });
});

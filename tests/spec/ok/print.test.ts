import { readdirSync, readFileSync } from 'node:fs';
import fc from '../../support/properties.js';
import { expect, test } from 'vitest';
import type { File } from '../../../dsl/ast.js';
import { renderDiagnostic } from '../../../dsl/diagnostics.js';
import { parse } from '../../../dsl/parse.js';
import { print } from '../../../dsl/print.js';
import { anyFile } from './arbitrary-ast.js';

const files = [...readdirSync('dsl/std').filter((f) => f.endsWith('.firn')).map((f) => `dsl/std/${f}`), ...readdirSync('dsl/std/families').map((f) => `dsl/std/families/${f}`),
  ...readdirSync('examples').map((f) => `examples/${f}`)];

function read(text: string): File {
  const source = { path: 'test.firn', text };
  const { file, diagnostics } = parse(source);
  if (diagnostics.length > 0) throw new Error(`${diagnostics.map((d) => renderDiagnostic(d, [source])).join('\n')}\n${text}`);
  return file!;
}

/** Without spans, which are all that printing may change. */
function bare(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, v: unknown) => (key === 'span' ? undefined : v)));
}

function checkRoundTrip(text: string): void {
  const file = read(text);
  const printed = print(file);
  const again = read(printed);
  expect(bare(again)).toEqual(bare(file));
  expect(print(again)).toBe(printed);
}

test.each(files)('%s survives printing', (path) => checkRoundTrip(readFileSync(path, 'utf8')));

test('every AST is printed so that it reads back as itself', () => {
  fc.assert(fc.property(anyFile, (file) => {
    const printed = print(file);
    const again = read(printed);
    expect(bare(again)).toEqual(bare(file));
    expect(print(again)).toBe(printed);
  }), { numRuns: Number(process.env.FIRN_FUZZ_RUNS ?? 150) });
});

test.each(['dim where 1 > 0', 'dim as d', 'layer where 1 > 0', 'return as r'])('`%s` on a line of its own goes on with a list of key sources', (source) => {
  read(`layer x(k: [.., s]) -> [] {\n  return attend(k, over: [k,\n    ${source}])\n}\n`);
});

test('the kitchen sink is in canonical style', () => {
  const text = readFileSync('tests/spec/ok/kitchen-sink.firn', 'utf8');
  expect(print(read(text))).toBe(text);
});

/** Puts a comment behind random lines, and behind random commas within them. */
function withComments(text: string, random: { nextInt(min: number, max: number): number }): { text: string; comments: string[] } {
  const comments: string[] = [];
  const mark = (): string => {
    comments.push(`# mark ${comments.length}.`);
    return comments[comments.length - 1];
  };
  const lines = text.split('\n').map((line) => {
    if (line.includes('#')) return line;
    const parts = line.split(/(?<=,) (?=[^"]*(?:"[^"]*"[^"]*)*$)/);
    const inner = parts.map((part, i) => (i < parts.length - 1 ? (random.nextInt(0, 9) === 0 ? `${part} ${mark()}\n` : `${part} `) : part)).join('');
    return random.nextInt(0, 3) === 0 ? `${inner} ${mark()}` : inner;
  });
  return { text: lines.join('\n'), comments };
}

test('no comment is lost, wherever it stands', () => {
  const texts = [...files, 'tests/spec/ok/kitchen-sink.firn'].map((path) => readFileSync(path, 'utf8'));
  fc.assert(fc.property(fc.constantFrom(...texts), fc.noShrink(fc.infiniteStream(fc.nat(1 << 20))), (original, stream) => {
    const next = stream[Symbol.iterator]();
    const random = { nextInt: (min: number, max: number) => min + (next.next().value % (max - min + 1)) };
    const { text, comments } = withComments(original, random);
    const printed = print(read(text));
    for (const c of comments) expect(printed.split(c).length - 1, c).toBe(1);
    checkRoundTrip(text);
  }), { numRuns: 60 });
});

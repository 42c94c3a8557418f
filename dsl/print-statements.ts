/** Statements and sections to documents. Neighbouring `param`s and bindings (`def`, `const`) line up at their `:` or `=`. */
import type { IfStatement, ImportEntry, ImportSection, Pattern, Selector, Statement, WeightRule } from './ast.js';
import { align, concat, fill, type Doc } from './pretty.js';
import { names, printBraces, printExpr, printLabelled, printLines, quote, withTrivia, type BlockTrivia } from './print-expressions.js';
import { segmentName } from './selector-text.js';
import { printParameters, printTensorType, printType } from './print-types.js';

/** `{ ... }` with one statement per line. */
export function printBlock(body: readonly Statement[], around: BlockTrivia = {}): Doc {
  const widths = alignments(body);
  const docs = body.map((s, i) => withTrivia(hasBlock(s) ? { leading: s.leading } : s, printStatement(s, widths[i])));
  return printLines(docs, around);
}

function hasBlock(s: Statement): boolean {
  return ['repeat', 'head', 'if', 'at', 'weights', 'precision', 'mesh', 'import'].includes(s.kind);
}

/** What stands before the column at which neighbours line up, and which kinds are neighbours. */
function heading(s: Statement): { readonly family: string; readonly text: string } | undefined {
  if (s.kind === 'param') return { family: 'param', text: `param ${names(s.names)}` };
  if (s.kind === 'def') return { family: 'binding', text: `def ${s.name.name}` };
  if (s.kind === 'const' && s.params.length === 0 && !s.type) return { family: 'binding', text: `const ${s.name.name}` };
  return undefined;
}

/** Names that differ more than this in length do not line up. */
const mostPadding = 16;

/** Per statement the width of its heading, common to neighbours without a blank line or comment between them. */
function alignments(body: readonly Statement[]): number[] {
  const widths = new Array<number>(body.length).fill(0);
  let start = 0;
  for (let i = 1; i <= body.length; i++) {
    const family = i < body.length ? heading(body[i])?.family : undefined;
    if (i < body.length && family !== undefined && family === heading(body[start])?.family && body[i].leading === undefined) continue;
    const own = body.slice(start, i).map((s) => heading(s)?.text.length ?? 0);
    const most = Math.max(...own);
    if (most - Math.min(...own) <= mostPadding) widths.fill(most, start, i);
    start = i;
  }
  return widths;
}

function printStatement(s: Statement, width: number): Doc {
  const head = heading(s)?.text.padEnd(width) ?? '';
  switch (s.kind) {
    case 'dim':
      return concat(`dim ${s.name.name} = `, s.like ? 'like ' : '', printExpr(s.value));
    case 'const':
      if (head !== '') return concat(head, ' = ', printExpr(s.value));
      return concat('const ', s.name.name, s.params.length > 0 ? printParameters(s.params) : '', s.type ? ' : ' : '', s.type ? printTensorType(s.type) : '', ' = ', printExpr(s.value));
    case 'def':
      return concat(head, ' = ', printExpr(s.value));
    case 'shared':
      return concat(`shared ${s.name.name}`, s.count ? concat('[', printExpr(s.count), ']') : '', ' = ', printExpr(s.value));
    case 'table':
      return concat('table ', s.name.name, '[', printExpr(s.extent), '] = ', printExpr(s.value));
    case 'param':
      return concat(head, ' : ', printTensorType(s.type), s.init ? ' init ' : '', s.init ? printExpr(s.init) : '', s.frozen ? ' frozen' : '', s.own ? ' own' : '', s.when ? ' when ' : '', s.when ? printExpr(s.when) : '');
    case 'state':
      return printState(s);
    case 'assign':
      return concat(printPattern(s.target), ` ${s.operator} `, printLabelled(s.value));
    case 'repeat':
      return printRepeat(s);
    case 'head':
      return concat(`head ${s.label.name}[`, printExpr(s.count), `] as ${s.index.name} `, printBlock(s.body, s));
    case 'if':
      return printIf(s);
    case 'at':
      return concat(`at ${s.dtype.name} `, printBlock(s.body, s));
    case 'return':
      return concat('return ', s.values.length === 1 ? printLabelled(s.values[0]) : concat('(', align(fill(s.values.map(printLabelled))), ')'));
    case 'export':
      return concat(`export ${s.name.name} = `, printLabelled(s.value));
    case 'require':
      return concat('require ', printExpr(s.condition), s.message === undefined ? '' : `, ${quote(s.message)}`);
    case 'emit':
      return concat('emit ', printLabelled(s.value));
    default:
      return printSection(s);
  }
}

function printSection(s: Statement & { kind: 'weights' | 'quantize' | 'precision' | 'mesh' | 'train' | 'setting' | 'import' }): Doc {
  switch (s.kind) {
    case 'weights':
      return concat('weights ', printLines(s.rules.map((r) => withTrivia(r, printRule(r))), s));
    case 'quantize':
      return concat('quantize ', printSelector(s.selector), ' to ', printExpr(s.format));
    case 'precision':
    case 'mesh':
      return concat(`${s.kind} `, printBraces(s.entries, (e) => {
        const doc = concat(`${e.name.name}: `, printExpr(e.value));
        return { broken: doc, flat: doc };
      }, s));
    case 'train':
      return concat('train with ', printExpr(s.value));
    case 'setting':
      return concat(`${s.name} `, printExpr(s.value));
    case 'import':
      return printImport(s);
  }
}

function printPattern(p: Pattern): Doc {
  switch (p.kind) {
    case 'name-pattern':
      return p.name.name + (p.index ? `[${p.index.name}]` : '');
    case 'tuple-pattern':
      return concat('(', align(fill(p.names.map((n) => n.name))), ')');
    case 'split-pattern':
      return concat('[', align(fill(p.names.map((n) => n.name), ' |')), ']');
  }
}

function printState(s: Statement & { kind: 'state' }): Doc {
  const simple = s.extent?.kind === 'number' || s.extent?.kind === 'name';
  const extent = s.extent ? concat(' ', simple ? printExpr(s.extent) : concat('(', printExpr(s.extent), ')')) : '';
  return concat(
    `state ${s.name.name} : ${s.policy}`, extent, ' ', printTensorType(s.type), ' = ', printLabelled(s.value), s.fill ? ' fill ' : '', s.fill ? printExpr(s.fill) : '',
  );
}

function printRepeat(s: Statement & { kind: 'repeat' }): Doc {
  const carried = s.carry?.map((c) => concat(c.name.name, c.initial ? ' = ' : '', c.initial ? printExpr(c.initial) : ''));
  const carry = carried ? concat(' carry (', align(fill(carried)), ')') : '';
  return concat('repeat ', s.label.name, '[', printExpr(s.count), `] as ${s.index.name}`, carry, ' ', printBlock(s.body, s));
}

function printIf(s: IfStatement): Doc {
  const head = concat('if ', printExpr(s.condition), ' ');
  if (s.otherwise.length === 0) return concat(head, printBlock(s.then, s));
  const [nested] = s.otherwise;
  const chained = s.otherwise.length === 1 && nested.kind === 'if' && nested.leading === undefined && s.closing === undefined;
  const otherwise = chained ? printIf(nested as IfStatement) : printBlock(s.otherwise, { closing: s.closing });
  return concat(head, printBlock(s.then, { trailing: s.trailing, closing: s.thenClosing }), ' else ', otherwise);
}

function printImport(s: ImportSection): Doc {
  const within = s.within ? ` within ${s.within.name}` : '';
  const widths = s.entries.flatMap((e) => (e.kind === 'binding' ? [e.name.name.length] : []));
  const lines = s.entries.map((e) => withTrivia(e, printEntry(e, Math.max(0, ...widths))));
  return concat('import ', align(fill(s.architectures.map((a) => quote(a.value)))), `${within} `, printLines(lines, s));
}

function printEntry(e: ImportEntry, width: number): Doc {
  switch (e.kind) {
    case 'binding':
      return e.type ? concat(`${e.name.name.padEnd(width)} : `, printType(e.type), ' = ', printExpr(e.value)) : concat(`${e.name.name} = `, printExpr(e.value));
    case 'known':
      return concat('known ', align(fill(e.keys.map((k) => k.name))));
    case 'require':
      return concat('require ', printExpr(e.condition), e.message === undefined ? '' : `, ${quote(e.message)}`);
  }
}

function printRule(r: WeightRule): Doc {
  const when = r.when ? concat(' when ', printExpr(r.when)) : '';
  return concat(printBareRule(r), when);
}

function printBareRule(r: WeightRule): Doc {
  switch (r.kind) {
    case 'map':
      return concat(
        fill(r.sources.map((s) => quote(s.value))), ' -> ', printSelector(r.target), r.layout ? ` : ${quote(r.layout.value)}` : '',
        r.storage ? ' : ' : '', r.storage ? printExpr(r.storage) : '',
      );
    case 'ignore':
      return concat('ignore ', align(fill(r.patterns.map((p) => quote(p.value)))));
    case 'tap':
      return concat('tap ', quote(r.name.value), ' <- ', printSelector(r.target));
  }
}

function printSelector(s: Selector): Doc {
  const segments = s.segments.map((g) => {
    const name = segmentName(g);
    return g.index === undefined ? name : concat(name, '[', g.index === '*' ? '*' : printExpr(g.index), ']');
  });
  return concat(...segments.flatMap((g, i) => (i === 0 ? [g] : ['.', g])));
}

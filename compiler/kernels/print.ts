/**
 * The stable text of tile programs: same program, same text. Tiles are numbered in order of definition; in an index,
 * `axis: start ..+size` is a range, a bare scalar a place, `%n` an index tile.
 */
import { printExpr } from '../ir/expr.js';
import type { Index, Program, Statement, Tile, TileId, View } from '../ir/kernel.js';
import { printPacking } from '../ir/packing.js';
import { canonicalJson } from '../plan/canonical-json.js';
import { sha256 } from '../plan/sha256.js';
import { printShape } from './build-shapes.js';
import { printScalar } from './scalar.js';

/** sha256 of the canonical JSON of the whole program, name and origin included: what `Kernel.program` in a plan holds. */
export function programHash(program: Program): string {
  return sha256(canonicalJson(program));
}

/** `sources` (default true): with what was fused and where it is in the spec. */
export function printProgram(program: Program, options: { readonly sources?: boolean } = {}): string {
  const names = new TileNames();
  const lines = [
    `program ${program.name}(`,
    ...program.views.map((v) => `  ${printView(v)},`),
    ')',
    ...(options.sources === false ? [] : program.origin.map((o) => `  # ${o.what}${o.where && `  ${o.where}`}`)),
    `  grid ${program.grid.map((g) => `${g.name}: ${printScalar(g.extent)}`).join(', ') || 'one program'}`,
    ...Object.keys(program.schedule).sort().map((key) => `  schedule ${key} = ${program.schedule[key]}`),
    ...printBody(program.body, '  ', names),
  ];
  return lines.join('\n') + '\n';
}

export function printView(v: View): string {
  const axes = v.axes.map((a) => `${a.name}: ${printScalar(a.extent)}`).join(', ');
  const layout = v.packing.kind === 'dense' ? '' : ` ${printPacking(v.packing)}`;
  return `${v.name}: ${v.access} ${v.dtype} [${axes}]${layout}${v.strides ? ` strides [${v.strides.join(', ')}]` : ''}`;
}

/** One statement (for messages): bodies are left out, tiles have their ids in the program. */
export function printStatement(s: Statement): string {
  return printLines(s, '', undefined)[0];
}

/** Numbers tiles in the order in which they are first printed. */
class TileNames {
  private readonly numbers = new Map<TileId, number>();
  of(id: TileId): string {
    const number = this.numbers.get(id) ?? this.numbers.size;
    this.numbers.set(id, number);
    return `%${number}`;
  }
}

function printBody(body: readonly Statement[], indent: string, names: TileNames | undefined): string[] {
  return body.flatMap((s) => printLines(s, indent, names));
}

function printType(t: Tile): string {
  return `${t.dtype} ${printShape(t.shape)}`;
}

/** `names` undefined: one line, with raw ids. */
function printLines(s: Statement, indent: string, names: TileNames | undefined): string[] {
  const tile = (id: TileId): string => (names ? names.of(id) : `%${id}`);
  const nested = (body: readonly Statement[]): string[] => (names ? printBody(body, `${indent}  `, names) : []);
  switch (s.op) {
    case 'store': return [`${indent}store ${s.view}[${s.at.map((i) => printIndex(i, tile)).join(', ')}] = ${tile(s.value)}${s.where === undefined ? '' : ` where ${tile(s.where)}`}`];
    case 'let': return [`${indent}let ${s.name} = ${printScalar(s.value)}`];
    case 'if': return [`${indent}if ${printScalar(s.condition)}`, ...nested(s.body)];
    case 'for': {
      const starts = s.carries.map((c) => `${tile(c.initial)} as ${tile(c.inside.id)}`).join(', ');
      const head = `${indent}for ${s.variable} in ${printScalar(s.lo)} .. ${printScalar(s.hi)} step ${s.step}${starts && ` carrying ${starts}`}`;
      const body = nested(s.body);
      const ends = s.carries.map((c) => `${tile(c.next)} -> ${tile(c.out.id)} : ${printType(c.out)}`).join(', ');
      return [head, ...body, ...(ends ? [`${indent}  next ${ends}`] : [])];
    }
    default: {
      const value = printValue(s, tile);
      return [`${indent}${tile(s.out.id)} = ${value} : ${printType(s.out)}`];
    }
  }
}

function printValue(s: Extract<Statement, { out: Tile }>, tile: (id: TileId) => string): string {
  switch (s.op) {
    case 'load': return `load ${s.view}[${s.at.map((i) => printIndex(i, tile)).join(', ')}]${s.fill === 0 ? '' : ` fill ${s.fill}`}`;
    case 'map': {
      const text = printExpr(s.expr, s.args.map(tile));
      // Operands that only lend their axes do not appear in the expression.
      const silent = s.args.map(tile).filter((name) => !text.split(/[^%0-9]+/).includes(name));
      return `map ${text}${silent.length > 0 ? ` over ${silent.join(', ')}` : ''}`;
    }
    case 'iota': return `iota ${printScalar(s.start)}`;
    case 'scalar': return `scalar ${printScalar(s.value)}`;
    case 'full': return `full ${s.value}`;
    case 'dot': return `dot ${tile(s.a)}, ${tile(s.b)} over ${s.over.join(', ')}${s.acc === undefined ? '' : ` onto ${tile(s.acc)}`}`;
    case 'reduce': return `reduce ${s.fn} ${tile(s.value)} over ${s.over.join(', ')}`;
    case 'cumulate': return `cumulate ${tile(s.value)} along ${s.axis}${s.reverse ? ' from the end' : ''}`;
    case 'rename': return `rename ${tile(s.value)} ${s.from} to ${s.to}`;
    case 'split': return `split ${tile(s.value)} ${s.axis} into ${printShape(s.into)}`;
    case 'merge': return `merge ${tile(s.value)} ${s.axes.join(', ')} into ${s.into}`;
    case 'slice': return `slice ${tile(s.value)} ${s.axis} from ${s.start} step ${s.step} size ${s.size}`;
    case 'concat': return `concat ${s.parts.map(tile).join(', ')} along ${s.axis}`;
  }
}

function printIndex(i: Index, tile: (id: TileId) => string): string {
  switch (i.kind) {
    case 'point': return printScalar(i.at);
    case 'range': return `${i.axis}: ${printScalar(i.start)} ..+${i.size}${i.limit ? ` below ${printScalar(i.limit)}` : ''}`;
    case 'tile': return tile(i.tile);
  }
}

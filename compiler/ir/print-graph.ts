/** The stable text of a Graph: one node per line, bodies indented. Same graph, same text. */
import { printType } from './axes.js';
import { printExpr } from './expr.js';
import type { AttendSource, Graph, Module, Node, Operation, ParamDecl, Storage, StateDecl, Value } from './graph.js';

export interface PrintOptions {
  /** Ends each line with the node's label and `file:line`. */
  readonly origins?: boolean;
}

/** Tables, graph and taps of a module. */
export function printModule(module: Module, options: PrintOptions = {}): string {
  const lines = [
    ...module.params.map((p, i) => `param ${i} ${printParam(p)}`),
    ...module.states.map((s, i) => `state ${i} ${printState(s)}`),
    ...printGraphLines(module.graph, '', options),
    ...module.taps.map((t) => `tap ${t.output} -> ${t.names.join(', ')}`),
  ];
  return lines.join('\n') + '\n';
}

export function printGraph(graph: Graph, options: PrintOptions = {}): string {
  return printGraphLines(graph, '', options).join('\n') + '\n';
}

/** The first path, and how many there are if not one. */
function printPaths(paths: readonly string[]): string {
  return paths.length === 1 ? paths[0] : `${paths[0]} .. ${paths[paths.length - 1]} (${paths.length})`;
}

export function printStorage(s: Storage): string {
  switch (s.kind) {
    case 'plain': return s.dtype;
    case 'int4': return `int4(group: ${s.group}, along: ${s.along}, scale: ${s.scale})`;
    case 'fp8': return `fp8(block: ${s.block})`;
    case 'mxfp4': return `mxfp4(group: ${s.group}, along: ${s.along})`;
  }
}

function printParam(p: ParamDecl): string {
  const init = 'value' in p.init ? `constant(${p.init.value})` : p.init.kind === 'normal' ? `normal(${p.init.deviation})` : `${p.init.kind}(${p.init.low}, ${p.init.high})`;
  return `${printPaths(p.paths)} : ${printType(p.type)} as ${printStorage(p.storage)} init ${init}${p.frozen ? ' frozen' : ''}${(p.shard ?? []).map((s) => ` part of ${s.count} of ${s.axis} over ${s.group}`).join('')}`;
}

function printState(s: StateDecl): string {
  return `${printPaths(s.paths)} : ${s.policy} ${printType(s.type)} fill ${s.initial}`;
}

function printGraphLines(graph: Graph, indent: string, options: PrintOptions): string[] {
  const inputs = graph.inputs.map(({ name, value }) => `${name} = ${printValue(value)}`);
  return [
    `${indent}graph ${graph.name}(${inputs.join(', ')}) {`,
    ...graph.nodes.flatMap((n) => printNode(n, indent + '  ', options)),
    `${indent}  return ${graph.outputs.map((o) => `${o.name} = %${o.value}`).join(', ')}`,
    `${indent}}`,
  ];
}

function printValue(v: Value): string {
  return `%${v.id} : ${printType(v.type)}`;
}

function printNode(node: Node, indent: string, options: PrintOptions): string[] {
  const operands = node.operands.map((id) => `%${id}`).join(', ');
  const attributes = printAttributes(node);
  const words = [node.op, ...(attributes === '' ? [] : [attributes])].join(' ');
  const origin = options.origins && (node.label !== undefined || node.span !== undefined)
    ? `  # ${[node.label, node.span && `${node.span.file}:${node.span.line}`].filter(Boolean).join(' ')}` : '';
  const line = `${indent}${node.results.map(printValue).join(', ')} = ${words}(${operands})${origin}`;
  const bodies = node.op === 'repeat' ? [node.body] : node.op === 'scan' ? [node.body, ...(node.chunk ? [node.chunk.body] : [])] : [];
  return [line, ...bodies.flatMap((b) => printGraphLines(b, indent + '  ', options))];
}

const list = (names: readonly string[]): string => `[${names.join(', ')}]`;

/** Up to eight values in full; longer arrays by count and checksum. */
function printData(data: readonly number[]): string {
  return data.length <= 8 ? `{${data.join(', ')}}` : `{${data.length} values, ${checksum(data)}}`;
}

/** FNV-1a over the bytes of the f64 values: tells two arrays apart in text. */
function checksum(data: readonly number[]): string {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(Float64Array.from(data).buffer)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

function printSource(s: AttendSource, i: number, names: readonly string[]): string {
  const rules = [
    ...(s.mask === undefined ? [] : [`mask=${printExpr(s.mask, names)}`]), ...(s.window === undefined ? [] : [`window=${s.window}`]),
    ...(s.every === undefined ? [] : [`every=${s.every}`]), ...(s.fixed ? ['fixed'] : []), ...(s.picks === undefined ? [] : [`picks=${s.picks}`]),
  ];
  return `source${i}(${rules.join(' ')})`;
}

function printAttend(op: Extract<Operation, { op: 'attend' }>): string {
  const extras = Array.from({ length: 32 }, (_, i) => `extra${i}`);
  const names = ['s', 'query', 'key', ...extras];
  const options = [
    `over=${list(op.over)}`, `keys=${list(op.keys)}`, `score=${printExpr(op.score, names)}`, `mask=${printExpr(op.mask, names)}`,
    ...(op.causal ? ['causal'] : []), ...(op.window === undefined ? [] : [`window=${op.window}`]),
    ...(op.sink === undefined ? [] : [`sink=extra${op.sink}`]), `block=${op.block}`, ...(op.exports ? ['exports'] : []),
    ...(op.sources ?? []).map((s, i) => printSource(s, i, names)),
  ];
  return options.join(' ');
}

function printAttributes(op: Operation): string {
  switch (op.op) {
    case 'param': return op.rows === undefined ? String(op.param) : `${op.param} rows ${op.rows.join(' ')}`;
    case 'state': return op.at === undefined ? String(op.state) : `${op.state} at ${op.at}`;
    case 'state_write': return String(op.state);
    case 'const': return [printData(op.data), ...(op.perIteration ? [`per iteration ${op.perIteration.map(printData).join(' ')}`] : [])].join(' ');
    case 'iota': return op.axis;
    case 'map': return op.fn;
    case 'cast': return op.to;
    case 'rename': return `${op.from} -> ${op.to}`;
    case 'split': return `${op.axis} -> ${list(op.into.map((a) => a.name))}`;
    case 'merge': return `${list(op.axes)} -> ${op.into}`;
    case 'slice': return `${op.axis} -> ${op.into} start=${op.start} step=${op.step} size=${op.size}`;
    case 'pick': return `${op.axis} at=${op.at}`;
    case 'concat': return `${list(op.axes)} -> ${op.into}`;
    case 'stack': return op.into;
    case 'broadcast': return op.axis.name;
    case 'reduce': return `${op.fn} over=${list(op.over)}`;
    case 'contract': return `over=${list(op.over)}${op.select ? ` select=${op.select.axis}` : ''}`;
    case 'cumulate': return `${op.axis}${op.reverse ? ' reverse' : ''}`;
    case 'top': return `${op.axis} k=${op.k} -> ${op.into}`;
    case 'nucleus': return op.axis;
    case 'solve_lower': return `${op.rows} ${op.columns}`;
    case 'gather': return op.axis;
    case 'scatter': return `${op.mode} ${op.axis}`;
    case 'window': return `state=${op.state} size=${op.size} -> ${op.into}`;
    case 'attend': return printAttend(op);
    case 'select_keys': return `${op.k} of ${op.keys} into ${op.into} mask=${printExpr(op.mask, ['s', 'query', 'key'])} block=${op.block}${op.every === undefined ? '' : ` every=${op.every}`}`;
    case 'scan': return `inputs=${op.inputs} emits=${op.emits} states=${list(op.states.map(String))}${op.chunk ? ` chunk=${op.chunk.size} ${op.chunk.axis}` : ''}${op.fresh === undefined ? '' : ` fresh=${op.fresh}`}${op.reverse ? ' reverse' : ''}`;
    case 'repeat': return `${op.label} count=${op.count} carries=${op.carries}${op.reverse ? ' reverse' : ''}`;
    case 'stop_gradient': case 'straight_through': return '';
    case 'fake_quantize': return printStorage(op.storage);
    case 'all_reduce': case 'rank': return op.group;
    case 'all_gather': case 'reduce_scatter': return `${op.group} ${op.axis}`;
  }
}

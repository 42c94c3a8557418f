/**
 * The training form of a module: sequences start and end within the launch, so that no state is read or kept, and
 * attention is written out over the launch's own tokens, where it can be differentiated.
 *
 *   kv = state_write(state, slot, entry)   =>  kv = rename tokens -> slots (entry)
 *   attend(q, .., k, v)                    =>  p = exp(score - max) where sequences agree and the mask holds; (p @ v) / sum(p)
 *   scan carry s (state)                   =>  the same from `initial`, without state or chunk body
 *   select_keys(scores, ..)                =>  top of the scores of the sequence's tokens, as numbers of entries
 *   window(state, x, ..)                   =>  gather(x, earlier tokens of the sequence), `initial` before its start
 *
 * Needs tokens of a sequence side by side from position 0. Gives a graph without state; scores are tokens x tokens.
 */
import type { GraphBuilder } from '../ir/build.js';
import { buildExpr } from '../ir/build-expr.js';
import type { Module, Node, Value } from '../ir/graph.js';
import { attendOperands, tokenAxis } from '../ir/ops-state.js';
import { scanOperands } from '../ir/ops-bodies.js';
import { copyNode, rebuildModule } from '../ir/rebuild.js';

type Attend = Extract<Node, { op: 'attend' }>;
type Window = Extract<Node, { op: 'window' }>;
type Scan = Extract<Node, { op: 'scan' }>;
type Select = Extract<Node, { op: 'select_keys' }>;

export function expandAttend(module: Module): Module {
  return rebuildModule(module, () => (node, operands, b) => {
    switch (node.op) {
      case 'state_write': return [writtenEntries(node.results[0].type.axes[0].name, operands[1], operands[2], b)];
      case 'attend': return expand(node, operands, b);
      case 'select_keys': return [select(node, operands, b)];
      case 'state': if (node.at !== undefined) throw new Error('expand-attend: the state of another iteration has no training form'); return undefined;
      case 'window': return [expandWindow(node, module.states[node.state].initial, operands, b), operands[0]];
      case 'scan': return freshScan(node, module.states, operands, b);
      default: return undefined;
    }
  });
}

/** A recurrence whose sequences begin in this launch. Its states stay as they are. */
function freshScan(node: Scan, states: Module['states'], operands: readonly Value[], b: GraphBuilder): readonly Value[] {
  if (node.fresh !== undefined) return copyNode(node, operands, b);
  const { xs, carries, captured, position, sequence, starts } = scanOperands(node, operands);
  const initial = carries.map((c, i) => b.cast(c.type.axes.slice(1).reduceRight((x, axis) => b.broadcast(x, axis), b.scalar(states[node.states[i]].initial)), c.type.dtype));
  const emitted = b.emit({ op: 'scan', inputs: node.inputs, emits: node.emits, states: [], fresh: initial.length, body: node.body }, [...xs, ...initial, ...captured, position, sequence, starts]);
  return [...emitted, ...carries];
}

/** What the launch itself writes, on the axis by which the state's entries are known. */
function writtenEntries(slots: string, slot: Value, entry: Value, b: GraphBuilder): Value {
  return b.rename(entry, slot.type.axes[0].name, slots);
}

/** Smaller than any score; finite, so that differences of two stay numbers. */
const hidden = -1e30;

interface Scored { readonly score: Value; readonly allowed: Value; readonly v: Value; readonly keys: string }

function expand(node: Attend, operands: readonly Value[], b: GraphBuilder): readonly Value[] {
  const { sources, extras } = attendOperands(node, operands);
  const scored = sources.map((_, i) => scoreSource(node, operands, i, b));
  const visible = scored.map((s) => b.map('select', s.allowed, s.score, b.scalar(hidden)));
  const largest = visible.map((x, i) => b.reduce(x, 'maximum', [scored[i].keys])).reduce((x, y) => b.map('maximum', x, y));
  // Softmax does not depend on the shift, so nothing flows back through it.
  const sink = node.sink === undefined ? undefined : extras[node.sink];
  const shift = b.stopGradient(sink ? b.map('maximum', largest, sink) : largest);
  const weights = scored.map((s, i) => b.map('select', s.allowed, b.map('exp', b.map('subtract', visible[i], shift)), b.scalar(0)));
  const sums = weights.map((w, i) => b.reduce(w, 'add', [scored[i].keys]));
  const total = (sink ? [...sums, b.map('exp', b.map('subtract', sink, shift))] : sums).reduce((x, y) => b.map('add', x, y));
  const values = weights.map((w, i) => b.contract(w, scored[i].v, [scored[i].keys])).reduce((x, y) => b.map('add', x, y));
  // With a key the sum is at least 1 (or a sink's share of it); without, 0 stays 0.
  const out = b.map('divide', values, b.map('maximum', total, b.scalar(1e-30)));
  return node.exports ? [out, b.reduce(largest, 'maximum', [tokenAxis(operands[1].type, 'expand-attend').name])] : [out];
}

function scoreSource(node: Attend, operands: readonly Value[], source: number, b: GraphBuilder): Scored {
  const { q, position, sequence, sources, extras } = attendOperands(node, operands);
  const { k, v } = sources[source];
  const keys = node.keys[source];
  const tokens = tokenAxis(position.type, 'expand-attend').name;
  const { mask, every = 1, fixed, picks } = node.sources?.[source] ?? {};
  const args = [b.contract(q, k, node.over), position, fixed ? b.scalar(-1, 'i32') : b.rename(position, tokens, keys), ...extras];
  const conditions = [...(fixed ? [] : [b.map('equal', sequence, b.rename(sequence, tokens, keys))]), buildExpr(b, node.mask, args)];
  if (mask !== undefined) conditions.push(buildExpr(b, mask, args));
  if (every > 1) conditions.push(hasEntry(args[2], every, b));
  if (picks !== undefined) conditions.push(isPicked(sources[source].picks!, picks, entryNumber(args[2], every, b), b));
  return { score: buildExpr(b, node.score, args), allowed: conditions.reduce((x, y) => b.map('and', x, y)), v, keys };
}

/** All tokens wrote an entry here; only the last of each `every` has one. */
function hasEntry(position: Value, every: number, b: GraphBuilder): Value {
  return b.map('equal', b.map('mod', position, b.scalar(every, 'i32')), b.scalar(every - 1, 'i32'));
}

function entryNumber(position: Value, every: number, b: GraphBuilder): Value {
  return every === 1 ? position : b.map('floor_divide', position, b.scalar(every, 'i32'));
}

/** Whether an entry's number is among the picks, which lie on the axis `on`. */
function isPicked(picks: Value, on: string, number: Value, b: GraphBuilder): Value {
  const found = b.reduce(b.cast(b.map('equal', picks, number), 'i32'), 'maximum', [on]);
  return b.map('equal', found, b.scalar(1, 'i32'));
}

function select(node: Select, operands: readonly Value[], b: GraphBuilder): Value {
  const [scores, position, sequence, , ...extras] = operands;
  const { keys, k, into, every = 1 } = node;
  const tokens = tokenAxis(position.type, 'expand-attend').name;
  const keyPosition = b.rename(position, tokens, keys);
  const conditions = [
    b.map('equal', sequence, b.rename(sequence, tokens, keys)), b.map('less_equal', keyPosition, position), hasEntry(keyPosition, every, b),
    buildExpr(b, node.mask, [scores, position, keyPosition, ...extras]),
  ];
  const allowed = conditions.reduce((x, y) => b.map('and', x, y));
  const best = b.top(b.map('select', allowed, scores, b.scalar(hidden)), keys, k, into);
  const count = b.reduce(b.cast(allowed, 'i32'), 'add', [keys]);
  const exists = b.map('less', b.iota({ name: into, size: k }), count);
  const number = b.map('select', exists, entryNumber(b.gather(position, best, tokens), every, b), b.scalar(-1, 'i32'));
  return number;
}

/** Element j of a token's window is the token `size - 1 - j` before it. */
function expandWindow(node: Window, initial: number, operands: readonly Value[], b: GraphBuilder): Value {
  const [, x, position] = operands;
  const tokens = tokenAxis(position.type, 'expand-attend');
  const back = b.map('subtract', b.scalar(node.size - 1, 'i32'), b.iota({ name: node.into, size: node.size }));
  const inside = b.map('less_equal', back, position);
  const ids = b.map('select', inside, b.map('subtract', b.iota(tokens), back), b.scalar(-1, 'i32'));
  const earlier = b.gather(x, ids, tokens.name);
  return initial === 0 ? earlier : b.map('select', inside, earlier, b.cast(b.scalar(initial), x.type.dtype));
}

/** Type rules of the ops that read or write state: state_write, window, attend. */
import { findAxis, hasAxis, printType, requireAxis, sameAxes, unionAxes, withoutAxes } from './axes.js';
import { exprDType } from './expr.js';
import type { Axis, Operation, StateDecl, TensorType } from './graph.js';
import type { TypeContext } from './ops.js';

/** The one axis of `position`: the axis on which this launch's tokens lie. */
export function tokenAxis(position: TensorType, stage: string): Axis {
  if (position.axes.length !== 1 || position.dtype !== 'i32') throw new Error(`${stage}: positions must be i32 with one axis, found ${printType(position)}`);
  return position.axes[0];
}

export function requireState(context: TypeContext, index: number, policy: StateDecl['policy'], value: TensorType, stage: string): StateDecl {
  const decl = context.states[index];
  if (decl === undefined) throw new Error(`${stage}: index ${index} of a table of ${context.states.length} states`);
  if (decl.policy !== policy) throw new Error(`${stage}: state ${index} has policy ${decl.policy}, not ${policy}`);
  if (value.dtype !== decl.type.dtype || !sameAxes(value.axes, decl.type.axes)) {
    throw new Error(`${stage}: operand ${printType(value)} is not a value of state ${index}, ${printType(decl.type)}`);
  }
  return decl;
}

export function inferStateWrite(op: Extract<Operation, { op: 'state_write' }>, [state, slot, entry]: readonly TensorType[], context: TypeContext): readonly TensorType[] {
  const decl = requireState(context, op.state, 'append', state, 'state_write');
  const tokens = tokenAxis(slot, 'state_write');
  if (entry.dtype !== decl.type.dtype || !sameAxes(entry.axes, [tokens, ...decl.type.axes.slice(1)])) {
    throw new Error(`state_write: entry ${printType(entry)} does not fit state ${printType(decl.type)}, one entry per '${tokens.name}'`);
  }
  return [decl.type];
}

export function inferWindow(op: Extract<Operation, { op: 'window' }>, operands: readonly TensorType[], context: TypeContext): readonly TensorType[] {
  const [state, x, position] = operands;
  const decl = requireState(context, op.state, 'last', state, 'window');
  const tokens = tokenAxis(position, 'window');
  const kept = decl.type.axes[1].size;
  if (typeof kept !== 'number' || kept < op.size - 1) throw new Error(`window: ${op.size} values need ${op.size - 1} past ones, the state keeps ${String(kept)}`);
  if (x.dtype !== decl.type.dtype || !sameAxes(x.axes, [tokens, ...decl.type.axes.slice(2)])) {
    throw new Error(`window: ${printType(x)} does not fit state ${printType(decl.type)}`);
  }
  if (hasAxis(x.axes, op.into)) throw new Error(`window: the axis '${op.into}' exists already`);
  return [{ dtype: x.dtype, axes: [...x.axes, { name: op.into, size: op.size }] }, decl.type];
}

type Attend = Extract<Operation, { op: 'attend' }>;

/** Operands of an attend by role. */
export function attendOperands<T>(op: Attend, operands: readonly T[]): {
  readonly q: T; readonly position: T; readonly sequence: T; readonly blocks: T;
  readonly sources: readonly { readonly k: T; readonly v: T; readonly picks?: T }[]; readonly extras: readonly T[];
} {
  const [q, position, sequence, blocks] = operands;
  let next = 4 + 2 * op.keys.length;
  const sources = op.keys.map((_, i) => ({ k: operands[4 + 2 * i], v: operands[5 + 2 * i], ...(op.sources?.[i].picks === undefined ? {} : { picks: operands[next++] }) }));
  return { q, position, sequence, blocks, sources, extras: operands.slice(next) };
}

/**
 * Places of a state's entries: entry g of a sequence covers `every` positions and lies where the last of them does, so
 * that a cache block of `block` tokens holds block / `stride` entries.
 */
export function entryStride(every: number, block: number): number {
  return Math.min(every, block);
}

/** Axes of the scores of one source without its keys: q's, then k's, without `over`. */
function scoreAxes(op: Attend, q: TensorType, k: TensorType, keys: string): readonly Axis[] {
  requireAxis(k, keys, 'attend');
  for (const name of op.over) { requireAxis(q, name, 'attend query'); requireAxis(k, name, 'attend key'); }
  if (hasAxis(q.axes, keys)) throw new Error(`attend: the query has the key axis '${keys}'`);
  return withoutAxes(unionAxes(q.axes, withoutAxes(k.axes, [keys]), 'attend'), op.over);
}

function requireExtras(op: Attend, extras: readonly TensorType[], scores: readonly Axis[]): void {
  for (const [i, extra] of extras.entries()) {
    for (const axis of extra.axes) {
      const allowed = op.keys.includes(axis.name) ? i !== op.sink : findAxis(scores, axis.name) !== undefined;
      if (!allowed) throw new Error(`attend: extra ${i}, ${printType(extra)}, has the axis '${axis.name}' that the scores lack`);
    }
  }
  if (op.sink !== undefined && extras[op.sink] === undefined) throw new Error(`attend: sink ${op.sink} of ${extras.length} extras`);
  const args = ['f32', 'i32', 'i32', ...extras.map((e) => e.dtype)] as const;
  if (exprDType(op.score, args) !== 'f32') throw new Error('attend: the score expression must be f32');
  if (exprDType(op.mask, args) !== 'bool') throw new Error('attend: the mask expression must be bool');
}

function requirePicks(op: Attend, sources: readonly { readonly picks?: TensorType }[], tokens: string, scores: readonly Axis[]): void {
  if (op.sources !== undefined && op.sources.length !== op.keys.length) throw new Error(`attend: ${op.sources.length} rules for ${op.keys.length} sources`);
  for (const [i, { picks }] of sources.entries()) {
    const axis = op.sources?.[i].picks;
    if (axis === undefined) continue;
    if (picks === undefined || picks.dtype !== 'i32') throw new Error(`attend: source ${i} needs the numbers of its entries as i32`);
    requireAxis(picks, axis, 'attend picks');
    requireAxis(picks, tokens, 'attend picks');
    for (const a of picks.axes) if (a.name !== axis && findAxis(scores, a.name) === undefined) throw new Error(`attend: picks ${printType(picks)} have the axis '${a.name}' that the scores lack`);
  }
}

export function inferSelectKeys(op: Extract<Operation, { op: 'select_keys' }>, operands: readonly TensorType[]): readonly TensorType[] {
  const [scores, position] = operands;
  if (operands.length < 4 || scores.dtype !== 'f32') throw new Error(`select_keys: scores must be f32, found ${printType(scores)}`);
  const tokens = tokenAxis(position, 'select_keys');
  requireAxis(scores, op.keys, 'select_keys');
  requireAxis(scores, tokens.name, 'select_keys');
  if (hasAxis(scores.axes, op.into)) throw new Error(`select_keys: the axis '${op.into}' exists already`);
  if (op.k < 1) throw new Error(`select_keys: ${op.k} entries`);
  return [{ dtype: 'i32', axes: [...withoutAxes(scores.axes, [op.keys]), { name: op.into, size: op.k }] }];
}

export function inferAttend(op: Attend, operands: readonly TensorType[]): readonly TensorType[] {
  if (op.keys.length === 0 || operands.length < 4 + 2 * op.keys.length) throw new Error(`attend: ${operands.length} operands for ${op.keys.length} key sources`);
  const { q, position, sources, extras } = attendOperands(op, operands);
  const tokens = tokenAxis(position, 'attend');
  requireAxis(q, tokens.name, 'attend');
  const scores = scoreAxes(op, q, sources[0].k, op.keys[0]);
  let result = scores;
  for (const [i, { k, v }] of sources.entries()) {
    if (!sameAxes(scoreAxes(op, q, k, op.keys[i]), scores)) throw new Error(`attend: source ${i} gives scores of other axes than source 0`);
    requireAxis(v, op.keys[i], 'attend');
    result = unionAxes(result, withoutAxes(v.axes, [op.keys[i]]), 'attend');
  }
  requireExtras(op, extras, scores);
  requirePicks(op, sources, tokens.name, scores);
  const out: TensorType = { dtype: 'f32', axes: result };
  return op.exports ? [out, { dtype: 'f32', axes: withoutAxes(scores, [tokens.name]) }] : [out];
}

/** Type rules of the ops that own a body graph: scan and repeat. */
import { hasAxis, printType, replaceAxis, requireAxis, sameAxes, sameType, withoutAxes } from './axes.js';
import type { Axis, Graph, Operation, TensorType } from './graph.js';
import type { TypeContext } from './ops.js';
import { requireState, tokenAxis } from './ops-state.js';

/** Types of a graph's outputs; throws if one is not defined in it. */
export function outputTypes(graph: Graph): readonly TensorType[] {
  const wanted = new Map<number, TensorType | undefined>(graph.outputs.map((o) => [o.value, undefined]));
  for (const { value } of graph.inputs) if (wanted.has(value.id)) wanted.set(value.id, value.type);
  for (const node of graph.nodes) for (const r of node.results) if (wanted.has(r.id)) wanted.set(r.id, r.type);
  return graph.outputs.map((o) => {
    const type = wanted.get(o.value);
    if (type === undefined) throw new Error(`graph '${graph.name}': output '${o.name}' is not defined in it`);
    return type;
  });
}

function requireInputs(body: Graph, expected: readonly TensorType[], stage: string): void {
  if (body.inputs.length !== expected.length) throw new Error(`${stage}: the body has ${body.inputs.length} inputs for ${expected.length} operands`);
  body.inputs.forEach(({ name, value }, i) => {
    if (!sameType(value.type, expected[i])) throw new Error(`${stage}: body input '${name}' is ${printType(value.type)}, its operand gives ${printType(expected[i])}`);
  });
}

function requireCarry(found: TensorType, expected: TensorType, i: number, stage: string): void {
  if (found.dtype === expected.dtype && sameAxes(found.axes, expected.axes)) return;
  throw new Error(`${stage}: carry ${i} enters as ${printType(expected)} and leaves as ${printType(found)}`);
}

export function inferRepeat(op: Extract<Operation, { op: 'repeat' }>, operands: readonly TensorType[]): readonly TensorType[] {
  requireInputs(op.body, operands, 'repeat');
  const outputs = outputTypes(op.body);
  if (outputs.length < op.carries) throw new Error(`repeat: ${outputs.length} outputs for ${op.carries} carries`);
  return outputs.map((type, i) => {
    if (i < op.carries) { requireCarry(type, operands[i], i, 'repeat'); return operands[i]; }
    if (hasAxis(type.axes, op.label)) throw new Error(`repeat: a stacked value has the axis '${op.label}' already`);
    return { dtype: type.dtype, axes: [{ name: op.label, size: op.count }, ...type.axes] };
  });
}

type Scan = Extract<Operation, { op: 'scan' }>;

export function carryCount(op: Scan): number {
  return op.fresh ?? op.states.length;
}

/** Operands of a scan by role; `state` values, then captured ones. */
export function scanOperands<T>(op: Scan, operands: readonly T[]): {
  readonly xs: readonly T[]; readonly carries: readonly T[]; readonly captured: readonly T[]; readonly position: T; readonly sequence: T; readonly starts: T;
} {
  const [position, sequence, starts] = operands.slice(-3);
  const end = op.inputs + carryCount(op);
  return { xs: operands.slice(0, op.inputs), carries: operands.slice(op.inputs, end), captured: operands.slice(end, -3), position, sequence, starts };
}

/** Types of the inputs of a scan's body: the step's, or (given `chunk`) the chunk's, which keep an axis for the tokens. */
export function scanInputTypes(op: Scan, operands: readonly TensorType[], chunk?: Axis): readonly TensorType[] {
  const { xs, carries, captured, position } = scanOperands(op, operands);
  const tokens = tokenAxis(position, 'scan');
  return [
    ...xs.map((x): TensorType => ({ dtype: x.dtype, axes: replaceAxis(x.axes, tokens.name, chunk ? [chunk] : []) })),
    ...carries.map((t): TensorType => ({ dtype: t.dtype, axes: op.fresh === undefined ? t.axes.slice(1) : t.axes })),
    ...captured,
  ];
}

/** Checks one body (step or chunk) and returns the types of what it emits. */
function inferScanBody(op: Scan, body: Graph, operands: readonly TensorType[], chunk?: Axis): readonly TensorType[] {
  const inputs = scanInputTypes(op, operands, chunk);
  const entries = inputs.slice(op.inputs, op.inputs + carryCount(op));
  requireInputs(body, inputs, 'scan');
  const outputs = outputTypes(body);
  if (outputs.length !== op.emits + entries.length) throw new Error(`scan: ${outputs.length} outputs for ${op.emits} emitted values and ${entries.length} carries`);
  entries.forEach((t, i) => requireCarry(outputs[op.emits + i], t, i, 'scan'));
  return outputs.slice(0, op.emits);
}

export function inferScan(op: Scan, operands: readonly TensorType[], context: TypeContext): readonly TensorType[] {
  if (op.fresh !== undefined && op.states.length > 0) throw new Error('scan: states, and carries that start afresh');
  if (operands.length < op.inputs + carryCount(op) + 3) throw new Error(`scan: ${operands.length} operands for ${op.inputs} inputs and ${op.states.length} carries`);
  const { xs, carries, position } = scanOperands(op, operands);
  const tokens = tokenAxis(position, 'scan');
  for (const x of xs) requireAxis(x, tokens.name, 'scan');
  const states = op.states.map((index, i) => requireState(context, index, 'recurrent', carries[i], 'scan'));
  const emitted = inferScanBody(op, op.body, operands);
  if (op.chunk !== undefined) requireChunk(op, op.chunk, operands, emitted);
  return [...emitted.map((t): TensorType => ({ dtype: t.dtype, axes: [tokens, ...t.axes] })), ...states.map((s) => s.type)];
}

function requireChunk(op: Scan, chunk: NonNullable<Scan['chunk']>, operands: readonly TensorType[], emitted: readonly TensorType[]): void {
  const rows = inferScanBody(op, chunk.body, operands, { name: chunk.axis, size: chunk.size });
  rows.forEach((t, i) => {
    requireAxis(t, chunk.axis, 'scan chunk');
    if (t.dtype !== emitted[i].dtype || !sameAxes(withoutAxes(t.axes, [chunk.axis]), emitted[i].axes)) {
      throw new Error(`scan chunk: emitted value ${i} is ${printType(t)} per chunk and ${printType(emitted[i])} per step`);
    }
  });
}

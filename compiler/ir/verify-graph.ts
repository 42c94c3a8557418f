/**
 * The laws of the Graph, checked independently of whoever built it:
 * every value is defined once and before its use; stored types equal the inferred ones; axis names within a type are
 * unique and sizes are over known dims; tables of params, states and per-iteration constants have one entry per
 * iteration of the repeats around their use; a state has one writer at most; scan bodies are pure; names of inputs and
 * outputs are unique; taps name outputs.
 */
import { printType, sameType } from './axes.js';
import { evaluateExpr } from './evaluate-expr.js';
import { dynamicDims, entryDim, type Axis, type Graph, type Module, type Node, type TensorType, type Value, type ValueId } from './graph.js';
import { inferTypes, type TypeContext } from './ops.js';
import { attendOperands } from './ops-state.js';

interface Scope {
  readonly context: TypeContext;
  readonly problems: string[];
  /** Iterations around this graph, all enclosing repeats together. */
  readonly iterations: number;
  readonly insideScan: boolean;
  readonly writers: Map<number, string>;
}

/** What is wrong with the module, one line each; empty if it obeys the laws. */
export function verifyModule(module: Module, groups: Readonly<Record<string, number>> = {}): readonly string[] {
  const context: TypeContext = { params: module.params, states: module.states, groups };
  const problems: string[] = [];
  verifyGraph(module.graph, { context, problems, iterations: 1, insideScan: false, writers: new Map() });
  verifyTables(module, problems);
  verifyTaps(module, problems);
  return problems;
}

/** Throws with every broken law; `stage` names the pass that made the module. */
export function requireValid(module: Module, stage: string, groups?: Readonly<Record<string, number>>): void {
  const problems = verifyModule(module, groups);
  if (problems.length > 0) throw new Error(`${stage}: the graph breaks its laws:\n  ${problems.join('\n  ')}`);
}

function verifyTables(module: Module, problems: string[]): void {
  for (const [kind, table] of [['param', module.params], ['state', module.states]] as const) {
    const seen = new Set<string>();
    table.forEach((decl, i) => {
      verifyType(decl.type, `${kind} ${i}`, problems);
      if (decl.paths.length === 0) problems.push(`${kind} ${i}: no path`);
      for (const path of decl.paths) {
        if (seen.has(path)) problems.push(`${kind} ${i}: the path '${path}' is taken`);
        seen.add(path);
      }
    });
  }
}

function verifyTaps(module: Module, problems: string[]): void {
  const byName = new Map(module.graph.outputs.map((o) => [o.name, o.value]));
  for (const tap of module.taps) {
    if (!byName.has(tap.output)) problems.push(`tap: no output '${tap.output}'`);
    if (new Set(tap.names).size !== tap.names.length) problems.push(`tap '${tap.output}': a name occurs twice`);
  }
}

function verifyType(type: TensorType, where: string, problems: string[]): void {
  const names = type.axes.map((a) => a.name);
  if (new Set(names).size !== names.length) problems.push(`${where}: an axis occurs twice in ${printType(type)}`);
  for (const axis of type.axes) if (!validSize(axis)) problems.push(`${where}: axis '${axis.name}' has no valid size`);
}

function validSize({ size }: Axis): boolean {
  if (typeof size === 'number') return Number.isInteger(size) && size >= 0;
  return size.terms.every((t) => Number.isInteger(t.coefficient) && t.symbols.every((s) => (dynamicDims as readonly string[]).includes(s) || entryDim.test(s)));
}

function verifyGraph(graph: Graph, scope: Scope): void {
  const known = new Map<ValueId, TensorType>();
  const define = (value: Value, where: string): void => {
    if (known.has(value.id)) scope.problems.push(`${where}: %${value.id} is defined twice`);
    known.set(value.id, value.type);
    verifyType(value.type, `${where} %${value.id}`, scope.problems);
  };
  for (const { name, value } of graph.inputs) define(value, `graph '${graph.name}' input '${name}'`);
  for (const node of graph.nodes) {
    verifyNode(node, known, graph, scope);
    for (const r of node.results) define(r, `${graph.name}: ${node.op}`);
  }
  for (const { name, value } of graph.outputs) if (!known.has(value)) scope.problems.push(`graph '${graph.name}': output '${name}' is %${value}, which is not defined`);
  for (const [what, names] of [['input', graph.inputs.map((i) => i.name)], ['output', graph.outputs.map((o) => o.name)]] as const) {
    for (const [i, name] of names.entries()) if (names.indexOf(name) !== i) scope.problems.push(`graph '${graph.name}': two ${what}s named '${name}'`);
  }
}

function verifyNode(node: Node, known: ReadonlyMap<ValueId, TensorType>, graph: Graph, scope: Scope): void {
  const where = `${graph.name}: ${node.op} %${node.results[0]?.id ?? '?'}`;
  const missing = node.operands.filter((id) => !known.has(id));
  if (missing.length > 0) { scope.problems.push(`${where}: %${missing.join(', %')} used before being defined`); return; }
  try {
    const types = inferTypes(node, node.operands.map((id) => known.get(id)!), scope.context, node.results[0]?.type);
    if (types.length !== node.results.length) scope.problems.push(`${where}: ${node.results.length} results, the op has ${types.length}`);
    else types.forEach((t, i) => { if (!sameType(t, node.results[i].type)) scope.problems.push(`${where}: result ${i} says ${printType(node.results[i].type)}, the op gives ${printType(t)}`); });
  } catch (error) {
    scope.problems.push(`${where}: ${(error as Error).message}`);
  }
  verifyOp(node, where, scope);
}

function verifyOp(node: Node, where: string, scope: Scope): void {
  const { context, problems } = scope;
  if (scope.insideScan && ['param', 'state', 'state_write', 'window', 'attend', 'select_keys', 'scan'].includes(node.op)) problems.push(`${where}: not allowed in the body of a scan`);
  switch (node.op) {
    case 'param': verifyParam(node, where, scope); break;
    case 'state':
      if (node.at === undefined) verifySlots(context.states[node.state]?.paths.length, where, scope);
      else if (context.states[node.state]?.paths[node.at] === undefined) problems.push(`${where}: there is no iteration ${node.at}`);
      break;
    case 'const': if (node.perIteration !== undefined) verifySlots(node.perIteration.length, where, scope); break;
    case 'state_write': case 'window': verifyWriter(node.state, where, scope); break;
    case 'scan':
      for (const state of node.states) verifyWriter(state, where, scope);
      for (const body of [node.body, ...(node.chunk ? [node.chunk.body] : [])]) verifyGraph(body, { ...scope, insideScan: true });
      break;
    case 'repeat':
      if (!(Number.isInteger(node.count) && node.count >= 1)) problems.push(`${where}: ${node.count} iterations`);
      verifyGraph(node.body, { ...scope, iterations: scope.iterations * node.count });
      break;
    case 'attend': verifyMask(node, where, problems); break;
    default:
  }
}

function verifyParam(node: Extract<Node, { op: 'param' }>, where: string, scope: Scope): void {
  const decl = scope.context.params[node.param];
  if ((decl?.shared === true) !== (node.rows !== undefined)) scope.problems.push(`${where}: a shared parameter and rows go together`);
  verifySlots(node.rows?.length ?? decl?.paths.length, where, scope);
  if (node.rows?.some((row) => decl?.paths[row] === undefined)) scope.problems.push(`${where}: rows beyond the ${decl?.paths.length} paths`);
}

function verifySlots(found: number | undefined, where: string, scope: Scope): void {
  if (found !== undefined && found !== scope.iterations) scope.problems.push(`${where}: ${found} entries for ${scope.iterations} iterations`);
}

function verifyWriter(state: number, where: string, scope: Scope): void {
  const other = scope.writers.get(state);
  if (other !== undefined) scope.problems.push(`${where}: state ${state} is also written by ${other}`);
  scope.writers.set(state, where);
  verifySlots(scope.context.states[state]?.paths.length, where, scope);
}

/** Tries what `causal` and `window` promise on small positions; masks that read extras are taken at their word. */
function verifyMask(op: Extract<Node, { op: 'attend' }>, where: string, problems: string[]): void {
  if (attendOperands(op, op.operands).extras.length > 0) return;
  const reach = (op.window ?? 4) + 3;
  for (let query = 0; query < reach; query++) {
    for (let key = 0; key < reach; key++) {
      if (evaluateExpr(op.mask, [0, query, key], ['f32', 'i32', 'i32']) === 0) continue;
      if (op.causal && key > query) { problems.push(`${where}: says causal, but query ${query} sees key ${key}`); return; }
      if (op.window !== undefined && query - key >= op.window) { problems.push(`${where}: says window ${op.window}, but query ${query} sees key ${key}`); return; }
    }
  }
}

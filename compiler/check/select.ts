/** `select(picks, over: index as (key), by: score, mask: causal)`: the entries of a state with the largest scores. */
import type { AttendExpr, Expr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { suggest } from '../../dsl/suggest.js';
import type { Span } from '../../dsl/span.js';
import { hasAxis } from '../ir/axes.js';
import type { Node, Value as GraphValue } from '../ir/graph.js';
import { maskOf, openState } from './attend.js';
import { requireTensor, tensorAxes } from './contract.js';
import { resolveAxis } from './dims.js';
import { sizeOf, spread } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { building, fail, modelInput, tensor, type Frame } from './frame.js';
import type { TensorValue } from './value.js';

const optionNames = ['by', 'mask'] as const;

function readOptions(e: AttendExpr): ReadonlyMap<string, Expr> {
  const options = new Map<string, Expr>();
  for (const o of e.options) {
    const name = o.name?.name ?? '';
    if (!(optionNames as readonly string[]).includes(name)) fail(messages.unknownArgument('select', name, suggest(name, optionNames), optionNames, o.span));
    options.set(name, o.value);
  }
  if (!options.has('by')) fail(messages.missingArguments('select', ['by'], e.span));
  return options;
}

/** Ops whose result has to lie in memory. */
const stored: ReadonlySet<Node['op']> = new Set(['top', 'scatter', 'select_keys', 'attend', 'window', 'scan', 'repeat']);

/** Scores are computed entry by entry: what is as large as tokens x context is never stored. */
function requireStreamed(frame: Frame, score: GraphValue, keys: string, state: string, span: Span): void {
  const seen = new Set<GraphValue>();
  const visit = (value: GraphValue): void => {
    const node = frame.graph.builder.producer(value);
    if (seen.has(value) || node === undefined || !hasAxis(value.type.axes, keys) || node.op === 'state_write') return;
    seen.add(value);
    if (stored.has(node.op)) fail(messages.selectStored(state, node.span ?? span));
    frame.graph.builder.operandsOf(node).forEach(visit);
  };
  visit(score);
}

/** Numbers of entries (i32), increasing, on the axis that is the first argument; -1 where there are no more. */
export function evaluateSelect(frame: Frame, e: AttendExpr): TensorValue {
  const options = readOptions(e);
  if (e.sources.length !== 1 || e.sources[0].where !== undefined) fail(messages.selectSources(e.span));
  const into = resolveAxis(frame, e.query);
  const { state, keys, inside, picks } = openState(frame, e.sources[0]);
  if (picks !== undefined) fail(messages.selectSources(e.sources[0].span));
  const by = options.get('by')!;
  const scores = spread(frame, requireTensor(inside, { value: evaluate(inside, by), span: by.span }, 'the score'), by.span);
  const { axes, dtype } = scores.value.type;
  const value = frame.graph.use(scores);
  if (!hasAxis(axes, 'tokens') || !hasAxis(axes, keys)) fail(messages.selectScore(state.name, { span: by.span, axes: tensorAxes(frame, scores) }, by.span));
  requireStreamed(frame, value, keys, state.name, by.span);
  const extras: TensorValue[] = [];
  const mask = maskOf(frame, extras, options.get('mask'));
  const b = building(frame, e.span);
  const every = state.policy === 'every' && state.extent! > 1 ? { every: state.extent! } : {};
  const attributes = { keys, k: sizeOf(into, e.query.span).value, into: into.name, mask, block: frame.run.block, ...every };
  return tensor(frame, b.selectKeys(attributes, {
    scores: dtype === 'f32' ? value : b.cast(value, 'f32'), position: modelInput(frame, 'position'), sequence: modelInput(frame, 'sequence'),
    blocks: modelInput(frame, 'blocks'), extras: extras.map((x) => frame.graph.use(x)),
  }), e.span);
}

/** `quantize selector to int4(group: 32, along: in)` (or `fp8(block: 128)`, `mxfp4`): which parameters are stored in which packing. */
import type { Expr, QuantizeStatement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { suggest } from '../../dsl/suggest.js';
import { selectorText } from '../../dsl/selector-text.js';
import type { Axis, Quantized } from '../ir/graph.js';
import type { AxisTable } from './axis.js';
import { attempt, fail, report, type Elaboration } from './frame.js';
import { matchSelector } from './selectors.js';
import type { QuantizeRule } from './model-info.js';

/** A format before it meets a parameter, whose axes decide what the group runs along. */
type Format =
  | { readonly kind: 'int4' | 'mxfp4'; readonly group: number; readonly side: 'in' | 'out' }
  | { readonly kind: 'fp8'; readonly block: number };

export interface QuantizeEntry { readonly statement: QuantizeStatement; readonly format: Format; readonly matched: Map<string, Quantized> }

/** Reads the formats; wrong ones are reported and left out. */
export function readQuantize(run: Elaboration, statements: readonly QuantizeStatement[]): readonly QuantizeEntry[] {
  return statements.flatMap((statement) => {
    const format = attempt(run, () => readFormat(statement.format));
    return format === undefined ? [] : [{ statement, format, matched: new Map<string, Quantized>() }];
  });
}

/** `int4(group: n, along: in)`, `fp8(block: n)`, `mxfp4`. */
function readFormat(e: Expr): Format {
  if (e.kind === 'name' && e.name === 'mxfp4') return { kind: 'mxfp4', group: 32, side: 'in' };
  const call = e.kind === 'call' && e.callee.kind === 'name' ? { name: e.callee.name, args: e.args } : fail(messages.unknownFormat(e.span));
  const [group, along, block] = ['group', 'along', 'block'].map((name) => call.args.find((a) => a.name?.name === name)?.value);
  if (call.name === 'fp8' && call.args.length === 1 && block?.kind === 'number') {
    if (!block.integer || block.value < 4 || block.value % 4 !== 0) fail(messages.wrongEntry('block', 'a multiple of 4', block.span));
    return { kind: 'fp8', block: block.value };
  }
  if (call.name !== 'int4' || call.args.length !== 2 || group?.kind !== 'number' || along?.kind !== 'name' || (along.name !== 'in' && along.name !== 'out')) fail(messages.unknownFormat(e.span));
  if (!group.integer || group.value < 8 || group.value % 8 !== 0) fail(messages.wrongEntry('group', 'a multiple of 8', group.span));
  return { kind: 'int4', group: group.value, side: along.name };
}

/**
 * The storage that the last matching rule gives to the parameter at `path`, `own` being its axes (without the one of a
 * route). Parameters of one axis (gains, biases) stay as they are.
 */
export function quantizedStorage(run: Elaboration, axes: AxisTable, rules: readonly QuantizeEntry[], path: string, own: readonly Axis[]): Quantized | undefined {
  let found: Quantized | undefined;
  for (const rule of rules) {
    if (own.length < 2 || matchSelector(rule.statement.selector, path) === undefined) continue;
    const storage = storageFor(run, axes, rule, path, own);
    if (storage === undefined) continue;
    found = storage;
    rule.matched.set(path, found);
  }
  return found;
}

function storageFor(run: Elaboration, axes: AxisTable, { format, statement }: QuantizeEntry, path: string, own: readonly Axis[]): Quantized | undefined {
  if (format.kind === 'fp8') return { kind: 'fp8', block: format.block };
  const along = format.side === 'in' ? own.at(-1)! : own[0];
  const { origin } = axes.get(along.name);
  if ((along.size as number) % format.group !== 0) {
    report(run, messages.groupRemainder(path, along.name, along.size as number, format.group, origin, statement.span));
    return undefined;
  }
  return format.kind === 'int4' ? { kind: 'int4', group: format.group, along: along.name, scale: 'bf16' } : { kind: 'mxfp4', group: format.group, along: along.name };
}

/** A rule that matched nothing is a mistake. `paths`: all parameters, for what was meant. */
export function finishQuantize(run: Elaboration, rules: readonly QuantizeEntry[], paths: readonly string[]): readonly QuantizeRule[] {
  for (const { statement, matched } of rules) {
    if (matched.size > 0) continue;
    const known = [...new Set(paths.map((p) => p.replace(/\[\d+\]/g, '[*]')))];
    report(run, messages.quantizeNothing(statement.selector.span, suggest(selectorText(statement.selector), known)));
  }
  return rules.flatMap((r) => {
    const [storage] = r.matched.values();
    return storage === undefined ? [] : [{ storage, paths: [...r.matched.keys()], span: r.statement.span }];
  });
}

/** `quantize selector to int4(group: 32, along: in)`: which parameters are stored in which packing. */
import type { QuantizeStatement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { suggest } from '../../dsl/suggest.js';
import type { Axis, Storage } from '../ir/graph.js';
import type { AxisTable } from './axis.js';
import { attempt, fail, report, type Elaboration } from './frame.js';
import { matchSelector, selectorText } from './selectors.js';
import type { QuantizeRule } from './model-info.js';

type Int4 = Extract<Storage, { kind: 'int4' }>;

export interface QuantizeEntry { readonly statement: QuantizeStatement; readonly group: number; readonly side: 'in' | 'out'; readonly matched: Map<string, Int4> }

/** Reads the formats; wrong ones are reported and left out. */
export function readQuantize(run: Elaboration, statements: readonly QuantizeStatement[]): readonly QuantizeEntry[] {
  return statements.flatMap((statement) => {
    const entry = attempt(run, () => {
      const { format } = statement;
      const args = format.kind === 'call' && format.callee.kind === 'name' && format.callee.name === 'int4' ? format.args : fail(messages.unknownFormat(format.span));
      const [group, along] = ['group', 'along'].map((name) => args.find((a) => a.name?.name === name)?.value);
      if (args.length !== 2 || group?.kind !== 'number' || along?.kind !== 'name' || (along.name !== 'in' && along.name !== 'out')) fail(messages.unknownFormat(format.span));
      if (!group.integer || group.value < 8 || group.value % 8 !== 0) fail(messages.wrongEntry('group', 'a multiple of 8', group.span));
      const side: 'in' | 'out' = along.name;
      return { statement, group: group.value, side, matched: new Map<string, Int4>() };
    });
    return entry === undefined ? [] : [entry];
  });
}

/**
 * The storage that the last matching rule gives to the parameter at `path`, `own` being its axes (without the one of a
 * route). Parameters of one axis (gains, biases) stay as they are.
 */
export function quantizedStorage(run: Elaboration, axes: AxisTable, rules: readonly QuantizeEntry[], path: string, own: readonly Axis[]): Int4 | undefined {
  let found: Int4 | undefined;
  for (const rule of rules) {
    if (own.length < 2 || matchSelector(rule.statement.selector, path) === undefined) continue;
    const along = rule.side === 'in' ? own.at(-1)! : own[0];
    const { origin } = axes.get(along.name);
    if ((along.size as number) % rule.group !== 0) {
      report(run, messages.groupRemainder(path, along.name, along.size as number, rule.group, origin, rule.statement.span));
      continue;
    }
    found = { kind: 'int4', group: rule.group, along: along.name, scale: 'bf16' };
    rule.matched.set(path, found);
  }
  return found;
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

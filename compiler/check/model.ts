/** Which model of a program is meant, and its body after `with` and overrides from outside. */
import type { Expr, Model, Override, Statement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Diagnostic } from '../../dsl/diagnostics.js';
import type { Program } from '../../dsl/modules.js';
import type { Span } from '../../dsl/span.js';
import { suggest } from '../../dsl/suggest.js';

/** A string is a bare name: a value of an enum, a layer. */
export type OverrideValue = number | boolean | string;

export interface ChosenModel {
  readonly model: Model;
  readonly body: readonly Statement[];
  /** Paths of the files whose names the body sees, those of derived models first, the base's last. */
  readonly files: readonly string[];
}

type Models = ReadonlyMap<string, { readonly model: Model; readonly path: string }>;

function modelsOf(program: Program, path: string): Models {
  const scope = program.scopes.get(path)!;
  return new Map([...scope.values()].flatMap((d) => (d.item.kind === 'model' ? [[d.name, { model: d.item, path: d.path }] as const] : [])));
}

/** `name`, or the last model of the file. Mistakes are added to `diagnostics`. */
export function selectModel(program: Program, name: string | undefined, overrides: Readonly<Record<string, OverrideValue>>, diagnostics: Diagnostic[]): ChosenModel | undefined {
  const main = program.files.get(program.entry);
  if (main === undefined) return undefined;
  const wanted = name ?? main.items.filter((i) => i.kind === 'model').at(-1)?.name.name;
  if (wanted === undefined) { diagnostics.push(messages.noModel({ ...main.span, end: main.span.start })); return undefined; }
  const chosen = resolve(program, program.entry, wanted, main.span, diagnostics, []);
  if (chosen === undefined) return undefined;
  const given = Object.entries(overrides).map(([key, value]) => overrideOf(key, value, chosen.model.name.span));
  return { ...chosen, body: applyOverrides(chosen.model.name.name, chosen.body, given, diagnostics) };
}

function overrideOf(name: string, value: OverrideValue, span: Span): Override {
  const expr: Expr = typeof value === 'number' ? { kind: 'number', value, integer: Number.isInteger(value), text: String(value), span }
    : typeof value === 'boolean' ? { kind: 'bool', value, span } : { kind: 'name', name: value, span };
  return { name: { name, span }, value: expr, span };
}

function resolve(program: Program, path: string, name: string, span: Span, diagnostics: Diagnostic[], seen: readonly Model[]): ChosenModel | undefined {
  const models = modelsOf(program, path);
  const found = models.get(name);
  if (found === undefined) {
    diagnostics.push(messages.unknownModel(name, [...models.keys()], suggest(name, models.keys()), span));
    return undefined;
  }
  const { model } = found;
  if (seen.includes(model)) { diagnostics.push(messages.circularModel(name, model.name.span)); return undefined; }
  if (model.base === undefined) return { model, body: model.body, files: [found.path] };
  const base = resolve(program, found.path, model.base.name.name, model.base.name.span, diagnostics, [...seen, model]);
  if (base === undefined) return undefined;
  const body = [...applyOverrides(model.base.name.name, base.body, model.base.overrides, diagnostics), ...model.body];
  return { model, body, files: base.files.includes(found.path) ? base.files : [found.path, ...base.files] };
}

const replaceable: readonly Statement['kind'][] = ['dim', 'const', 'table', 'def'];

function applyOverrides(model: string, body: readonly Statement[], overrides: readonly Override[], diagnostics: Diagnostic[]): readonly Statement[] {
  let out = body;
  for (const o of overrides) {
    const { name } = o.name;
    const fits = (s: Statement): boolean => replaceable.includes(s.kind) && 'name' in s && typeof s.name === 'object' && s.name.name === name;
    if (!out.some(fits)) {
      const known = out.flatMap((s) => (replaceable.includes(s.kind) && 'name' in s && typeof s.name === 'object' ? [s.name.name] : []));
      diagnostics.push(messages.unknownOverride(name, model, suggest(name, known), o.name.span));
      continue;
    }
    out = out.map((s) => (fits(s) ? ({ ...s, value: o.value } as Statement) : s));
  }
  return out;
}

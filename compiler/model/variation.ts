/** Named changes of a model: finds what a name means, reads its values, and gives the changed body. */
import type { Expr, Statement } from '../../dsl/ast.js';
import type { Diagnostic } from '../../dsl/diagnostics.js';
import { lookUp, type Program } from '../../dsl/modules.js';
import { parse } from '../../dsl/parse.js';
import type { Span } from '../../dsl/span.js';
import { suggest } from '../../dsl/suggest.js';
import * as messages from '../../dsl/variant-messages.js';
import { selectModel, type ChosenModel } from '../check/model.js';
import { replaceVariables, variablesOf, type Signatures } from './variables.js';

/** `name`: a path of `variablesOf`, or its end where only one path has it. Values are written as in a spec. */
export interface Variation { readonly name: string; readonly values: readonly string[] }
/** One value per variation, in order. */
export interface Choice { readonly texts: readonly string[]; readonly values: ReadonlyMap<string, Expr> }

/** Of layers and functions in scope, and of the model's own templates: what they leave open. */
export function signaturesOf(program: Program, model: ChosenModel): Signatures {
  const signatures: Signatures = (name) => {
    const def = model.body.find((s) => s.kind === 'def' && s.name.name === name);
    if (def?.kind === 'def' && def.value.kind === 'call' && def.value.callee.kind === 'name' && def.value.callee.name !== name) {
      const { args } = def.value;
      return signatures(def.value.callee.name)?.filter((p) => !args.some((a) => a.name?.name === p.name.name));
    }
    const found = model.files.map((file) => lookUp(program, file, name)).find((d) => d !== undefined);
    return found?.item.kind === 'layer' || found?.item.kind === 'fn' ? found.item.params : undefined;
  };
  return signatures;
}

const most = 4096;

/** Every combination of the variations' values, the last one changing fastest. Mistakes are added to `diagnostics`. */
export function combinations(program: Program, wanted: string | undefined, variations: readonly Variation[], diagnostics: Diagnostic[]): { readonly paths: readonly string[]; readonly choices: readonly Choice[] } | undefined {
  const model = selectModel(program, wanted, {}, diagnostics);
  if (model === undefined) return undefined;
  const { span, name } = model.model.name;
  const before = diagnostics.length;
  const paths = variations.map((v) => resolve(v.name, variablesOf(model.body, signaturesOf(program, model)).map((x) => x.path), name, span, diagnostics));
  const values = variations.map((v) => v.values.map((text) => readValue(v.name, text, span, diagnostics)));
  const count = variations.reduce((n, v) => n * v.values.length, 1);
  if (count > most) diagnostics.push(messages.tooManyVariants(count, most, span));
  if (diagnostics.length > before) return undefined;
  const choices = Array.from({ length: count }, (_, i): Choice => {
    let rest = i;
    const picks = [...variations.keys()].reverse().map((k) => { const pick = rest % values[k].length; rest = Math.floor(rest / values[k].length); return pick; }).reverse();
    return { texts: picks.map((p, k) => variations[k].values[p]), values: new Map(picks.map((p, k) => [paths[k]!, values[k][p]!])) };
  });
  return { paths: paths.map((p) => p!), choices };
}

/** For `elaborate`: the model's body with a choice made. */
export function bodyWith(program: Program, choice: Choice): (model: ChosenModel) => readonly Statement[] {
  return (model) => replaceVariables(model.body, signaturesOf(program, model), choice.values);
}

function resolve(name: string, all: readonly string[], model: string, span: Span, diagnostics: Diagnostic[]): string | undefined {
  const known = [...new Set(all)];
  const ends = known.includes(name) ? [name] : known.filter((p) => p.endsWith(`.${name}`));
  if (ends.length === 1) return ends[0];
  const last = name.split('.').at(-1)!;
  const near = [...new Set([...suggest(name, known), ...known.filter((p) => suggest(last, [p.split('.').at(-1)!]).length > 0)])].slice(0, 5);
  diagnostics.push(ends.length > 1 ? messages.ambiguousVariable(name, ends, span) : messages.unknownVariable(name, model, near, known, span));
  return undefined;
}

/** Spans of values lie in no file of the program: what is wrong with them is told at the model. */
function readValue(name: string, text: string, span: Span, diagnostics: Diagnostic[]): Expr | undefined {
  const { file, diagnostics: found } = parse({ path: `--vary ${name}`, text: `const value = ${text}` });
  const [item] = file?.items ?? [];
  if (found.length === 0 && file!.items.length === 1 && item.kind === 'const-item') return item.value;
  diagnostics.push(messages.badVariantValue(name, text, found[0]?.message ?? 'it is not one expression', span));
  return undefined;
}

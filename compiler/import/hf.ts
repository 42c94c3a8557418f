/**
 * `config.json` of a published checkpoint -> text of a spec, by the rules of its family: a file with a model whose
 * `import` section says where its numbers stand. The spec means what the checkpoint's own code computes in f32:
 * activations, cache and accumulation are f32, weights are what the file stores.
 */
import type { File, ImportSection, Model } from '../../dsl/ast.js';
import { hasErrors, isSameMistake, type Diagnostic } from '../../dsl/diagnostics.js';
import { parseOnce } from '../../dsl/modules.js';
import { parse } from '../../dsl/parse.js';
import { print } from '../../dsl/print.js';
import type { SourceFile } from '../../dsl/span.js';
import { Bindings, jsonOf } from './bindings.js';
import { Config, type Value } from './config.js';
import { ImportFailure } from './evaluate.js';
import { Filler } from './fill.js';
import * as message from './messages.js';
import { readQuantization, type StoredFormat } from './quantization.js';
import { trim } from './trim.js';

export interface ImportRequest {
  readonly config: SourceFile;
  /** `generation_config.json`, which may name more ids that end a text. */
  readonly generation?: SourceFile;
  /** Files of families, one's own before those of the standard library: the first that has the architecture is taken. */
  readonly rules: readonly SourceFile[];
}
interface Template { readonly file: File; readonly model: Model; readonly section: ImportSection }

export function importHf(request: ImportRequest): { text?: string; diagnostics: readonly Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const outer = Config.parse(request.config, diagnostics);
  if (outer === undefined) return { diagnostics };
  const type = outer.get('model_type');
  if (typeof type !== 'string') return { diagnostics: [type === undefined || type === null ? message.missingType(type === null, outer.spanOf('model_type')) : message.wrongKind('model_type', 'a string', type, outer.spanOf('model_type'))] };
  const templates = request.rules.flatMap((source) => templatesOf(source, diagnostics));
  if (diagnostics.length > 0) return { diagnostics };
  const found = templates.find((t) => t.section.architectures.some((a) => a.value === type));
  if (found === undefined) {
    const known = templates.flatMap((t) => t.section.architectures.map((a) => a.value));
    return { diagnostics: [message.unknownArchitecture(type, known, outer.spanOf('model_type'))] };
  }
  return fillTemplate(found, type, request);
}

function templatesOf(source: SourceFile, diagnostics: Diagnostic[]): Template[] {
  const { file, diagnostics: syntax } = parseOnce(source);
  diagnostics.push(...syntax);
  if (file === undefined || hasErrors(syntax)) return [];
  const templates = file.items.flatMap((item): Template[] => {
    const section = item.kind === 'model' ? item.body.find((s) => s.kind === 'import') : undefined;
    return item.kind === 'model' && section !== undefined ? [{ file, model: item, section }] : [];
  });
  if (templates.length === 0) diagnostics.push(message.noTemplate({ ...file.span, end: 0 }));
  return templates;
}

function fillTemplate({ file, model, section }: Template, type: string, request: ImportRequest): { text?: string; diagnostics: readonly Diagnostic[] } {
  const config = Config.parse(request.config, [], section.within?.name)!;
  const diagnostics: Diagnostic[] = [];
  const generation = request.generation === undefined ? undefined : Config.parse(request.generation, diagnostics);
  const given = new Map<string, Value>([['stop_tokens', [...new Set([config, generation].flatMap((c) => (c === undefined ? [] : idsOf(c, diagnostics))))]]]);
  const bindings = new Bindings(section, config, given);
  let stored: StoredFormat | undefined;
  const filler = new Filler(bindings, config, () => (stored ??= readQuantization(config)));
  const body = filler.block(model.body, new Set());
  const failures = [...bindings.checkRequirements(), ...filler.failures].map((f: ImportFailure) => f.diagnostic);
  for (const d of failures) if (!diagnostics.some((o) => isSameMistake(o, d))) diagnostics.push(d);
  for (const entry of section.entries) if (entry.kind === 'known') for (const key of entry.keys) config.skip(key.name);
  diagnostics.push(...config.unread().map((key) => message.unknownKey(key, file.span.file, config.spanOf(key))));
  if (diagnostics.length > 0) return { diagnostics };
  const origin = [
    ...(model.leading ?? []),
    `# Imported from config.json (model_type ${type}) by the rules of ${file.span.file}:`,
    '# f32 activations, cache and accumulation; weights as stored.',
  ];
  const filled: Model = { ...model, body, leading: origin };
  return { text: canonical(trim({ ...file, items: file.items.map((i) => (i === model ? filled : i)) }, filled)), diagnostics };
}

/** Ids that end a text; -1 is how some configurations say that there is none. */
function idsOf(config: Config, diagnostics: Diagnostic[]): number[] {
  const written = [...new Set([config.get('eos_token_id'), config.member(config.root, 'eos_token_id')])].flatMap((v) => (Array.isArray(v) ? (v as Value[]) : [v ?? null]));
  const isId = (v: Value): v is number => typeof v === 'number' && Number.isSafeInteger(v);
  const wrong = written.find((v) => v !== null && !isId(v));
  if (wrong !== undefined) diagnostics.push(message.wrongKind('eos_token_id', 'a token id or a list of them', jsonOf(wrong), config.spanOf('eos_token_id')));
  return written.filter(isId).filter((v) => v >= 0);
}

/** As `firn fmt` would write it. */
function canonical(file: File): string {
  const text = print(file);
  const { diagnostics } = parse({ path: 'imported.firn', text });
  if (diagnostics.length > 0) throw new Error(`import: wrote a spec that does not parse: ${diagnostics[0].message}\n${text}`);
  return text;
}

/**
 * `config.json` of a published checkpoint -> text of a spec. The spec means what the checkpoint's own code computes in
 * f32: activations, cache and accumulation are f32, weights are what the file stores.
 */
import type { Diagnostic } from '../../dsl/diagnostics.js';
import { parse } from '../../dsl/parse.js';
import { print } from '../../dsl/print.js';
import type { SourceFile } from '../../dsl/span.js';
import { Config } from './config.js';
import { type Importer, normDef, type Spec } from './family.js';
import { importLatentAttention } from './latent-attention.js';
import { importLlama } from './llama.js';
import * as message from './messages.js';
import { importMixtral } from './mixtral.js';

const importers: Readonly<Record<string, Importer>> = {
  deepseek_v3: (config) => importLatentAttention(config, 'DeepseekV3', ''),
  kimi_k2: (config) => importLatentAttention(config, 'KimiK2', ''),
  llama: importLlama,
  mixtral: importMixtral,
};
/** Models with more than text: the decoder's configuration is nested and its tensors have a prefix. */
const nested: Readonly<Record<string, Importer>> = {
  kimi_k25: (config) => importLatentAttention(config, 'KimiK2', 'language_model.'),
};

export interface ImportRequest {
  readonly config: SourceFile;
  /** `generation_config.json`, which may name more ids that end a text. */
  readonly generation?: SourceFile;
}

export function importHf(request: ImportRequest): { text?: string; diagnostics: readonly Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const outer = Config.parse(request.config, diagnostics);
  if (outer === undefined) return { diagnostics };
  const type = outer.text('model_type');
  const inner = Object.hasOwn(nested, type) ? outer.section('text_config') : outer;
  const importer = Object.hasOwn(nested, type) ? nested[type] : Object.hasOwn(importers, type) ? importers[type] : undefined;
  if (importer === undefined || inner === undefined) {
    if (importer === undefined && diagnostics.length === 0) diagnostics.push(message.unknownArchitecture(type, [...Object.keys(importers), ...Object.keys(nested)], outer.spanOf('model_type')));
    else if (diagnostics.length === 0) diagnostics.push(message.missingKey('text_config', outer.spanOf('model_type')));
    return { diagnostics };
  }
  const spec = importer(inner);
  const stop = [...new Set([...inner.ids('eos_token_id'), ...outer.ids('eos_token_id'), ...generationStops(request.generation, diagnostics)])];
  inner.finish();
  if (diagnostics.some((d) => d.severity === 'error')) return { diagnostics };
  return { text: canonical(writeSpec(spec, type, stop)), diagnostics };
}

/** As `firn fmt` would write it. */
function canonical(text: string): string {
  const { file, diagnostics } = parse({ path: 'imported.firn', text });
  if (file === undefined || diagnostics.length > 0) throw new Error(`import: wrote a spec that does not parse: ${diagnostics[0]?.message}\n${text}`);
  return print(file);
}

function generationStops(file: SourceFile | undefined, diagnostics: Diagnostic[]): number[] {
  return file === undefined ? [] : (Config.parse(file, diagnostics)?.ids('eos_token_id') ?? []);
}

function writeSpec(spec: Spec, type: string, stop: readonly number[]): string {
  const { prefix } = spec;
  const indent = (lines: readonly string[], by: string): string => lines.map((line) => `${by}${line}\n`).join('');
  return `# Imported from config.json (model_type ${type}): f32 activations, cache and accumulation; weights as stored.
use std.{${spec.uses.join(', ')}}

model ${spec.name} {
  dim vocab = ${spec.vocab}
  dim hidden = ${spec.hidden}
  context ${spec.context}
${stop.length === 0 ? '' : `  stop [${stop.join(', ')}]\n`}
${indent([normDef(spec.eps), ...spec.defs], '  ')}
  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[${spec.layers}] as i {
    export hidden = x
    x += attn = attention(attn_norm = norm(x))
    x += ffn = ${spec.ffn}
  }
  h = final_norm = norm(x)
  logits = head = linear(h, vocab)

${indent([...spec.quantize, 'precision { activations: f32  cache: f32  accumulate: f32 }'], '  ')}
  weights {
${indent([
    `"${prefix}model.embed_tokens.weight" -> embed.table`,
    `"${prefix}model.layers.{i}.input_layernorm.weight" -> layers[i].attn_norm.weight`,
    `"${prefix}model.layers.{i}.post_attention_layernorm.weight" -> layers[i].ffn_norm.weight`,
    ...spec.weights,
    `"${prefix}model.norm.weight" -> final_norm.weight`,
    `"${prefix}lm_head.weight" -> head.weight`,
    ...spec.rest,
  ], '    ')}  }
}
`;
}

/**
 * Every kind of file that firn reads: samples of it, how it is read, and what reading may throw. Small samples are damaged
 * more often than large ones, and what does not depend on the file (library, families, programs of a plan) is read once.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../../cli/failure.js';
import { pinnedInputs, pinnedNames } from '../../cli/pinned-ids.js';
import { parsePrompts } from '../../cli/tokens.js';
import { importHf } from '../../compiler/import/hf.js';
import type { Bundle, Plan } from '../../compiler/ir/plan.js';
import { FormatError } from '../../compiler/plan/json-reader.js';
import { canonicalJson } from '../../compiler/plan/canonical-json.js';
import { readBundle, writeBundle } from '../../compiler/plan/plan-json.js';
import { verifyPlan } from '../../compiler/plan/verify-plan.js';
import { hasErrors } from '../../dsl/diagnostics.js';
import { parse } from '../../dsl/parse.js';
import { print } from '../../dsl/print.js';
import { parseOnce } from '../../dsl/modules.js';
import { nodeLoader, standardFamilies } from '../../dsl/std-node.js';
import { checkSpec, compile } from '../../index.js';
import { blobFolder } from '../../runtime/blob-files.js';
import { CheckpointError } from '../../runtime/checkpoint-error.js';
import { Checkpoint } from '../../runtime/checkpoint.js';
import { huggingFaceTokenizer } from '../../runtime/tokenizer/hugging-face.js';
import { tiktokenTokenizer } from '../../runtime/tokenizer/tiktoken.js';
import type { Tokenizer } from '../../runtime/tokenizer/tokenizer.js';
import { stopTokensBeside } from '../../runtime/tokenizer/beside-weights.js';
import { TokenizerError } from '../../runtime/tokenizer/tokenizer-error.js';
import { root } from '../cli/firn.js';
import { smallSpec } from '../support/small-spec.js';
import { damageBytes, damageJson, damageText, type Random } from './mutate.js';

export interface Kind {
  readonly name: string;
  /** Of a thousand files in all, how many are of this kind: at least 20, the more the faster it is read. */
  readonly share: number;
  /** A damaged file. */
  readonly damage: (r: Random) => Uint8Array;
  /** Reads it as the program does; what it throws must be a message for the user. */
  readonly read: (bytes: Uint8Array) => Promise<void>;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value);
const filesIn = (folder: string, end: string): string[] => (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []).filter((n) => n.endsWith(end)).sort().map((n) => readFileSync(join(folder, n), 'utf8'));

/** Runs `read`; an error of one of these classes is an answer. */
async function answered(read: () => unknown, ...classes: readonly (new (...args: never[]) => Error)[]): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!classes.some((c) => error instanceof c)) throw error;
  }
}

const bySize = (texts: readonly string[]): string[] => [...texts].sort((a, b) => a.length - b.length);
/** The first of a list more often than the last. */
const early = <T>(r: Random, list: readonly T[]): T => list[r.below(1 + r.below(list.length))];

const specs = bySize([smallSpec.text, ...filesIn(join(root, 'examples'), '.firn'), ...filesIn(join(root, 'dsl', 'std'), '.firn')]);
const words = [...new Set(specs.join('\n').match(/[A-Za-z_]\w*|"[^"]*"|[^\s\w]/g))];

const alone = { ...nodeLoader, read: () => undefined };

function readSpec(bytes: Uint8Array): void {
  const entry = { path: 'damaged.firn', text: text(bytes) };
  const { file, diagnostics } = parseOnce(entry);
  if (file !== undefined && !hasErrors(diagnostics)) {
    const printed = print(file);
    if (print(parse({ ...entry, text: printed }).file!) !== printed) throw new Error('fmt is not stable');
  }
  const checked = checkSpec({ entry, load: alone, taps: true });
  if (hasErrors(checked.diagnostics) || (checked.parameters ?? Infinity) > 1e6) return;
  compile({ entry, load: alone, target: 'null', longest: 20, maxTokens: 4 });
}

const tensors = { a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] }, 'b.weight': { dtype: 'BF16', shape: [4], data_offsets: [24, 32] }, c: { dtype: 'I64', shape: [], data_offsets: [32, 40] } };

function safetensors(header: string, data: number): Uint8Array {
  const head = bytesOf(header);
  const out = new Uint8Array(8 + head.length + data);
  new DataView(out.buffer).setBigUint64(0, BigInt(head.length), true);
  out.set(head, 8);
  return out;
}

async function readCheckpoint(files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  const folder = blobFolder('folder', Object.entries(files).map(([name, bytes]) => ({ name, blob: new Blob([new Uint8Array(bytes)]) })));
  await answered(async () => {
    const checkpoint = await Checkpoint.fromFolder(folder);
    for (const name of checkpoint.tensors.keys()) await checkpoint.read(name);
    await checkpoint.close();
  }, CheckpointError);
}

const shards = { 'one.safetensors': safetensors(JSON.stringify({ a: tensors.a }), 24), 'two.safetensors': safetensors(JSON.stringify({ b: { ...tensors['b.weight'], data_offsets: [0, 8] } }), 8) };
const index = { metadata: { total_size: 32 }, weight_map: { a: 'one.safetensors', b: 'two.safetensors' } };

const configs = bySize(filesIn(join(root, 'tests', 'goldens'), 'config.json')).map((c) => JSON.parse(c) as object);
if (configs.length === 0) throw new Error('no configurations to damage');

const generations = [{ eos_token_id: [1, 2] }, { eos_token_id: 1, temperature: 0.6, top_p: 0.9 }];
const imported = (config: string, generation: string): string | undefined =>
  importHf({ config: { path: 'config.json', text: config }, generation: { path: 'generation_config.json', text: generation }, rules: standardFamilies() }).text;

function readConfig(config: string): void {
  const spec = imported(config, JSON.stringify(generations[0]));
  if (spec !== undefined) checkSpec({ entry: { path: 'imported.firn', text: spec }, load: nodeLoader });
}

async function readGeneration(generation: string): Promise<void> {
  imported(JSON.stringify(configs[0]), generation);
  await answered(() => stopTokensBeside({ path: 'folder', text: (name) => Promise.resolve(name === 'generation_config.json' ? generation : undefined) }), TokenizerError);
}

const planned = (layers: string): string => `use std.{plain_rms, embedding, linear, gqa, mlp, silu}
model Planned {
  dim vocab = 6
  dim hidden = 8
  context 16
  x = embed = embedding(tokens, vocab, hidden)
  ${layers}
  logits = head = linear(x, vocab)
  quantize head.weight to int4(group: 8, along: in)
}
`;
/** As small as plans can be; with every kind of step, port and state; that of a small mixture of experts. */
const plannedTexts = [planned(''), planned(`repeat layers[2] as i {
    x += attn = gqa(plain_rms(x, eps: 1e-6), heads: 1, kv_heads: 1, size: 4, biases: no, score_scale: 0.5)
    x += ffn = mlp(plain_rms(x, eps: 1e-6), width: 8, activation: silu, biased: false)
  }`), smallSpec.text];

interface PlanFiles { readonly plan: Plan; readonly planText: string; readonly programs: Bundle['programs']; readonly kernelsText: string }
let plans: readonly PlanFiles[] | undefined;
const planFiles = (): readonly PlanFiles[] => (plans ??= plannedTexts.map((source) => {
  const bundle = compile({ entry: { path: 'planned.firn', text: source }, load: nodeLoader, target: 'null', longest: 20, maxTokens: 4 }).bundle!;
  const written = writeBundle(bundle);
  return { plan: bundle.plan, planText: written.plan, programs: bundle.programs, kernelsText: written.kernels };
}));
/** The largest once in a hundred, the second once in five. */
const somePlan = (r: Random): PlanFiles => planFiles()[r.below(100) === 0 ? 2 : Number(r.below(5) === 0)];

/** Which plan a damaged one was is told by the digest of its first program; without that it is refused anyway. */
function readPlan(plan: string): Promise<void> {
  const [smallest] = planFiles();
  const own = planFiles().find((files) => plan.includes(files.plan.kernels[0].program)) ?? smallest;
  return answered(() => verifyPlan(readBundle(plan, own.kernelsText)), FormatError);
}

function readKernels(kernels: string): Promise<void> {
  return answered(() => readBundle(planFiles()[0].planText, kernels), FormatError);
}

/** `planHash`, by the platform's faster digest. */
const digest = (plan: Plan): string => createHash('sha256').update(canonicalJson({ ...plan, hash: '' })).digest('hex');

/** A hand-edited plan whose digest was taken again. */
function resealed(plan: unknown): Uint8Array {
  try {
    return bytesOf(JSON.stringify({ ...(plan as Plan), hash: digest(plan as Plan) }));
  } catch {
    return bytesOf(stringify(plan));
  }
}

const ids = [[[1, 2, 3], [4, 5]], [1, 2, 3], [[0]], [[2 ** 31, 7]]];

/** The published one cut to its bytes and a few merges, then whole. */
const tokenizers = filesIn(join(root, 'tests', 'goldens'), 'tokenizer.json').slice(0, 1).flatMap((file) => {
  const whole = JSON.parse(file) as { model: { vocab: Record<string, number>; merges: unknown[] } };
  const model = { ...whole.model, vocab: Object.fromEntries(Object.entries(whole.model.vocab).slice(0, 270)), merges: whole.model.merges.slice(0, 12) };
  return [...Array.from({ length: 5 }, () => ({ ...whole, model })), whole];
});
const ranks = [...Array.from({ length: 256 }, (_, i) => Buffer.of(i)), ...['th', 'he', ' th', ' the', 'es', "'s"].map((w) => Buffer.from(w))].map((b, i) => `${b.toString('base64')} ${i}\n`).join('');
const tokenizerConfig = { tokenizer_class: 'TikTokenTokenizer', added_tokens_decoder: { 262: { content: '<|im_end|>', special: true } } };

function useTokenizer(make: () => Tokenizer): Promise<void> {
  return answered(() => {
    const tokenizer = make();
    const decoder = tokenizer.decoder();
    for (const specials of [false, true]) for (const id of tokenizer.encode('The snow\u2019s 12345 <|im_end|>\r\n  \u96ea', specials)) decoder.push(id);
    decoder.push(999_999);
    decoder.end();
  }, TokenizerError);
}

/** Through both readers; the small tokenizer.json has other settings in the same file. */
async function readTokenizerConfig(bytes: Uint8Array): Promise<void> {
  await useTokenizer(() => tiktokenTokenizer('tiktoken.model', ranks, text(bytes)));
  await useTokenizer(() => huggingFaceTokenizer('tokenizer.json', JSON.stringify(tokenizers[0]), text(bytes)));
}

const taps = { 'router.a.0': { dtype: 'I32', shape: [3, 2], data_offsets: [0, 24] }, 'router.b.0': { dtype: 'I32', shape: [3, 2], data_offsets: [24, 48] } };

async function readTaps(bytes: Uint8Array): Promise<void> {
  await answered(async () => {
    const file = await Checkpoint.fromFolder(blobFolder('taps', [{ name: 'model.safetensors', blob: new Blob([new Uint8Array(bytes)]) }]));
    await pinnedInputs(file, [{ input: 'ids', names: pinnedNames(file), active: 2, choices: 4 }], 0, 3);
  }, CheckpointError, CommandError);
}

/** Half of the files damaged as bytes, half as values. */
const either = (r: Random, json: unknown): Uint8Array => (r.below(2) ? damageBytes(bytesOf(JSON.stringify(json)), r) : bytesOf(stringify(damageJson(json, r))));
const mostlyValues = (r: Random, json: unknown): Uint8Array => (r.below(4) === 0 ? damageBytes(bytesOf(JSON.stringify(json)), r) : bytesOf(stringify(damageJson(json, r))));

export const kinds: readonly Kind[] = [
  { name: 'spec, bytes', share: 20, damage: (r) => damageBytes(bytesOf(early(r, specs)), r), read: async (b) => readSpec(b) },
  { name: 'spec, tokens', share: 25, damage: (r) => bytesOf(damageText(early(r, specs), words, r)), read: async (b) => readSpec(b) },
  { name: 'safetensors, bytes', share: 170, damage: (r) => damageBytes(safetensors(JSON.stringify(tensors), 40), r), read: (b) => readCheckpoint({ 'model.safetensors': b }) },
  { name: 'safetensors, header', share: 80, damage: (r) => safetensors(stringify(damageJson(tensors, r)), 40), read: (b) => readCheckpoint({ 'model.safetensors': b }) },
  { name: 'index', share: 90, damage: (r) => either(r, index), read: (b) => readCheckpoint({ ...shards, 'model.safetensors.index.json': b }) },
  { name: 'config', share: 20, damage: (r) => mostlyValues(r, r.pick(configs)), read: async (b) => readConfig(text(b)) },
  { name: 'generation_config.json', share: 20, damage: (r) => either(r, r.pick(generations)), read: (b) => readGeneration(text(b)) },
  { name: 'token ids', share: 180, damage: (r) => either(r, r.pick(ids)), read: (b) => answered(() => parsePrompts('ids.json', text(b)), CommandError) },
  { name: 'taps', share: 110, damage: (r) => (r.below(2) ? damageBytes(safetensors(JSON.stringify(taps), 48), r) : safetensors(stringify(damageJson(taps, r)), 48)), read: readTaps },
  { name: 'tokenizer.json', share: 20, damage: (r) => mostlyValues(r, early(r, tokenizers)), read: (b) => useTokenizer(() => huggingFaceTokenizer('tokenizer.json', text(b), undefined)) },
  { name: 'tiktoken.model', share: 180, damage: (r) => damageBytes(bytesOf(ranks), r), read: (b) => useTokenizer(() => tiktokenTokenizer('tiktoken.model', text(b), JSON.stringify(tokenizerConfig))) },
  { name: 'tokenizer_config.json', share: 20, damage: (r) => bytesOf(stringify(damageJson(tokenizerConfig, r))), read: readTokenizerConfig },
  { name: 'plan, bytes', share: 25, damage: (r) => damageBytes(bytesOf(somePlan(r).planText), r), read: (b) => readPlan(text(b)) },
  { name: 'plan, edited', share: 20, damage: (r) => resealed(damageJson(somePlan(r).plan, r)), read: (b) => readPlan(text(b)) },
  { name: 'kernels', share: 20, damage: (r) => mostlyValues(r, planFiles()[0].programs), read: (b) => readKernels(text(b)) },
];

/** Text of a document that may be nested deeper than JSON.stringify goes. */
function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '['.repeat(20_000) + ']'.repeat(20_000);
  }
}

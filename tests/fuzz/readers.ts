/** Every kind of file that firn reads: samples of it, how it is read, and what reading may throw. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../../cli/failure.js';
import { pinnedInputs, pinnedNames } from '../../cli/pinned-ids.js';
import { parsePrompts } from '../../cli/tokens.js';
import { importHf } from '../../compiler/import/hf.js';
import type { Bundle, Plan } from '../../compiler/ir/plan.js';
import { FormatError } from '../../compiler/plan/json-reader.js';
import { planHash } from '../../compiler/plan/plan-hash.js';
import { readBundle, writeBundle } from '../../compiler/plan/plan-json.js';
import { verifyPlan } from '../../compiler/plan/verify-plan.js';
import { hasErrors } from '../../dsl/diagnostics.js';
import { parse } from '../../dsl/parse.js';
import { print } from '../../dsl/print.js';
import { nodeLoader, standardFamilies } from '../../dsl/std-node.js';
import { checkSpec, compile } from '../../index.js';
import { blobFolder } from '../../runtime/blob-files.js';
import { CheckpointError } from '../../runtime/checkpoint-error.js';
import { Checkpoint } from '../../runtime/checkpoint.js';
import { huggingFaceTokenizer } from '../../runtime/tokenizer/hugging-face.js';
import { tiktokenTokenizer } from '../../runtime/tokenizer/tiktoken.js';
import type { Tokenizer } from '../../runtime/tokenizer/tokenizer.js';
import { TokenizerError } from '../../runtime/tokenizer/tokenizer-error.js';
import { root } from '../cli/firn.js';
import { smallSpec } from '../support/small-spec.js';
import { damageBytes, damageJson, damageText, type Random } from './mutate.js';

export interface Kind {
  readonly name: string;
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

const specs = [smallSpec.text, ...filesIn(join(root, 'examples'), '.firn'), ...filesIn(join(root, 'dsl', 'std'), '.firn')];
const words = [...new Set(specs.join('\n').match(/[A-Za-z_]\w*|"[^"]*"|[^\s\w]/g))];

function readSpec(bytes: Uint8Array): void {
  const entry = { path: 'damaged.firn', text: text(bytes) };
  const { file, diagnostics } = parse(entry);
  if (file !== undefined && !hasErrors(diagnostics)) {
    const printed = print(file);
    if (print(parse({ ...entry, text: printed }).file!) !== printed) throw new Error('fmt is not stable');
  }
  const checked = checkSpec({ entry, load: { ...nodeLoader, read: () => undefined }, taps: true });
  if (hasErrors(checked.diagnostics) || (checked.parameters ?? Infinity) > 1e6) return;
  compile({ entry, load: { ...nodeLoader, read: () => undefined }, target: 'null', longest: 20, maxTokens: 4 });
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

const configs = filesIn(join(root, 'tests', 'goldens'), 'config.json').map((c) => JSON.parse(c) as object);
if (configs.length === 0) throw new Error('no configurations to damage');

function readConfig(bytes: Uint8Array): void {
  const imported = importHf({ config: { path: 'config.json', text: text(bytes) }, generation: { path: 'generation_config.json', text: '{"eos_token_id": [1, 2]}' }, rules: standardFamilies() });
  if (imported.text !== undefined) checkSpec({ entry: { path: 'imported.firn', text: imported.text }, load: nodeLoader });
}

let bundle: Bundle | undefined;
const small = (): Bundle => (bundle ??= compile({ entry: smallSpec, load: nodeLoader, target: 'null', longest: 20, maxTokens: 4 }).bundle!);
/** A hand-edited plan whose digest was taken again. */
function resealed(plan: unknown): Uint8Array {
  try {
    return bytesOf(JSON.stringify({ ...(plan as Plan), hash: planHash(plan as Plan) }));
  } catch {
    return bytesOf(stringify(plan));
  }
}

const ids = [[[1, 2, 3], [4, 5]], [1, 2, 3], [[0]], [[2 ** 31, 7]]];

const tokenizerJson = JSON.parse(filesIn(join(root, 'tests', 'goldens'), 'tokenizer.json')[0]) as object;
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

const taps = { 'router.a.0': { dtype: 'I32', shape: [3, 2], data_offsets: [0, 24] }, 'router.b.0': { dtype: 'I32', shape: [3, 2], data_offsets: [24, 48] } };

async function readTaps(bytes: Uint8Array): Promise<void> {
  await answered(async () => {
    const file = await Checkpoint.fromFolder(blobFolder('taps', [{ name: 'model.safetensors', blob: new Blob([new Uint8Array(bytes)]) }]));
    await pinnedInputs(file, [{ input: 'ids', names: pinnedNames(file), active: 2, choices: 4 }], 0, 3);
  }, CheckpointError, CommandError);
}

export const kinds: readonly Kind[] = [
  { name: 'spec, bytes', damage: (r) => damageBytes(bytesOf(r.pick(specs)), r), read: async (b) => readSpec(b) },
  { name: 'spec, tokens', damage: (r) => bytesOf(damageText(r.pick(specs), words, r)), read: async (b) => readSpec(b) },
  { name: 'safetensors, bytes', damage: (r) => damageBytes(safetensors(JSON.stringify(tensors), 40), r), read: (b) => readCheckpoint({ 'model.safetensors': b }) },
  { name: 'safetensors, header', damage: (r) => safetensors(stringify(damageJson(tensors, r)), 40), read: (b) => readCheckpoint({ 'model.safetensors': b }) },
  { name: 'index', damage: (r) => (r.below(2) ? damageBytes(bytesOf(JSON.stringify(index)), r) : bytesOf(stringify(damageJson(index, r)))), read: (b) => readCheckpoint({ ...shards, 'model.safetensors.index.json': b }) },
  { name: 'config', damage: (r) => (r.below(4) === 0 ? damageBytes(bytesOf(JSON.stringify(r.pick(configs))), r) : bytesOf(stringify(damageJson(r.pick(configs), r)))), read: async (b) => readConfig(b) },
  { name: 'token ids', damage: (r) => (r.below(2) ? damageBytes(bytesOf(JSON.stringify(r.pick(ids))), r) : bytesOf(stringify(damageJson(r.pick(ids), r)))), read: (b) => answered(() => parsePrompts('ids.json', text(b)), CommandError) },
  { name: 'taps', damage: (r) => (r.below(2) ? damageBytes(safetensors(JSON.stringify(taps), 48), r) : safetensors(stringify(damageJson(taps, r)), 48)), read: readTaps },
  { name: 'tokenizer.json', damage: (r) => (r.below(4) === 0 ? damageBytes(bytesOf(JSON.stringify(tokenizerJson)), r) : bytesOf(stringify(damageJson(tokenizerJson, r)))), read: (b) => useTokenizer(() => huggingFaceTokenizer('tokenizer.json', text(b), undefined)) },
  { name: 'tiktoken.model', damage: (r) => damageBytes(bytesOf(ranks), r), read: (b) => useTokenizer(() => tiktokenTokenizer('tiktoken.model', text(b), JSON.stringify(tokenizerConfig))) },
  { name: 'tokenizer_config.json', damage: (r) => bytesOf(stringify(damageJson(tokenizerConfig, r))), read: (b) => useTokenizer(() => tiktokenTokenizer('tiktoken.model', ranks, text(b))) },
  { name: 'plan, bytes', damage: (r) => damageBytes(bytesOf(writeBundle(small()).plan), r), read: (b) => answered(() => verifyPlan(readBundle(text(b), writeBundle(small()).kernels)), FormatError) },
  { name: 'plan, edited', damage: (r) => resealed(damageJson(small().plan, r)), read: (b) => answered(() => verifyPlan(readBundle(text(b), writeBundle(small()).kernels)), FormatError) },
];

/** Text of a document that may be nested deeper than JSON.stringify goes. */
function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '['.repeat(20_000) + ']'.repeat(20_000);
  }
}

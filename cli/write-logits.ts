import type { HostArray } from '../backends/device.js';
import type { Port } from '../compiler/ir/plan.js';
import type { StoredDType } from '../runtime/safetensors.js';
import { SafetensorsWriter, type TensorToWrite } from '../runtime/safetensors-writer.js';
import type { LogitsOptions } from './logits.js';
import { type Prepared, prepare } from './prepare.js';
import { note, ProgressLine } from './terminal.js';
import { readPrompts } from './tokens.js';

/** An export and the names of its parts: one, or one per iteration of the repeat around it. */
interface Tap { readonly port: Port; readonly names: readonly string[]; readonly dtype: StoredDType; readonly width: number }

export async function writeLogits(spec: string, options: LogitsOptions): Promise<void> {
  const prompts = readPrompts(options.tokens);
  const longest = Math.max(...prompts.map((p) => p.length));
  const chunk = Math.min(options.chunk ?? 512, longest);
  const prepared = await prepare(spec, { ...options, context: options.context ?? longest, maxTokens: chunk, outputs: chunk });
  try {
    const taps = tapsOf(prepared);
    const writer = await SafetensorsWriter.create(options.output, prompts.flatMap((prompt, i) => tensorsOf(prompt.length, i, prepared, taps)));
    try {
      for (const [i, prompt] of prompts.entries()) await writePrompt(prompt, i, prompts.length, prepared, taps, writer, options.chunk);
      await writer.commit();
    } catch (error) {
      await writer.discard();
      throw error;
    }
    note(`wrote ${options.output}: ${prompts.length} prompts, ${prompts.reduce((n, p) => n + p.length, 0)} positions`);
  } finally {
    await prepared.close();
  }
}

const stored: Readonly<Record<Port['dtype'], StoredDType>> = { f32: 'F32', bf16: 'BF16', f16: 'F16', i32: 'I32', u32: 'U32', bool: 'U32' };

function tapsOf({ compiled }: Prepared): Tap[] {
  const { outputs } = compiled.bundle!.plan.entries[0];
  return compiled.module!.taps.map(({ output, names }) => {
    const port = outputs.find((p) => p.name === output);
    if (port === undefined) throw new Error(`logits: the plan has no output for the tap '${output}'`);
    const tokens = port.shape.findIndex((s) => s.kind === 'dim' && s.name === 'tokens');
    const extents = port.shape.map((s) => (s.kind === 'int' ? s.value : 1));
    return { port, names, dtype: stored[port.dtype], width: extents.slice(tokens + 1).reduce((a, b) => a * b, 1) };
  });
}

function tensorsOf(tokens: number, prompt: number, { model }: Prepared, taps: readonly Tap[]): TensorToWrite[] {
  return [
    { name: `logits.${prompt}`, dtype: 'F32', shape: [tokens, model.session.vocabulary] },
    ...taps.flatMap((tap) => tap.names.map((name) => ({ name: `${name}.${prompt}`, dtype: tap.dtype, shape: [tokens, tap.width] }))),
  ];
}

async function writePrompt(prompt: readonly number[], index: number, count: number, { model }: Prepared, taps: readonly Tap[], writer: SafetensorsWriter, chunk?: number): Promise<void> {
  const { session } = model;
  const step = Math.min(chunk ?? Infinity, session.largestRun('all'));
  const sequence = session.open();
  const line = new ProgressLine();
  for (let start = 0; start < prompt.length; start += step) {
    const tokens = prompt.slice(start, start + step);
    const [{ outputs }] = await session.run([{ sequence, tokens, rows: 'all' }], ['logits', ...taps.map((t) => t.port.name)]);
    await writer.write(`logits.${index}`, bytesOf(outputs.logits), start * session.vocabulary * 4);
    for (const tap of taps) await writeTap(writer, tap, index, outputs[tap.port.name], start, tokens.length);
    line.update(() => `prompt ${index + 1} of ${count}: ${start + tokens.length} of ${prompt.length} tokens`);
  }
  line.end();
  session.close(sequence);
}

/** `data`: [names, tokens, width]. Chosen ids have no order of their own, so they are written ascending. */
async function writeTap(writer: SafetensorsWriter, tap: Tap, prompt: number, data: HostArray, start: number, tokens: number): Promise<void> {
  for (const [i, name] of tap.names.entries()) {
    const part = data.slice(i * tokens * tap.width, (i + 1) * tokens * tap.width);
    if (tap.dtype === 'I32') for (let row = 0; row < tokens; row++) part.subarray(row * tap.width, (row + 1) * tap.width).sort();
    await writer.write(`${name}.${prompt}`, bytesOf(part), start * tap.width * part.BYTES_PER_ELEMENT);
  }
}

function bytesOf(array: HostArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

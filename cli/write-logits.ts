import type { HostArray } from '../backends/device.js';
import { openCheckpoint } from '../index.js';
import type { Checkpoint } from '../runtime/checkpoint.js';
import { runPrompt } from '../runtime/run-prompt.js';
import { SafetensorsWriter, type TensorToWrite } from '../runtime/safetensors-writer.js';
import { splitTap, type Tap, tapsOf } from '../runtime/taps.js';
import type { LogitsOptions } from './logits.js';
import { pinnedInputs, pinnedNames } from './pinned-ids.js';
import { type Prepared, prepare } from './prepare.js';
import { note, ProgressLine } from './terminal.js';
import { readPrompts } from './tokens.js';

export async function writeLogits(spec: string, options: LogitsOptions): Promise<void> {
  const pins = options.pinRouting === undefined ? undefined : await openCheckpoint(options.pinRouting);
  try {
    await writeWith(spec, options, pins);
  } finally {
    await pins?.close();
  }
}

async function writeWith(spec: string, options: LogitsOptions, pins: Checkpoint | undefined): Promise<void> {
  const prompts = readPrompts(options.tokens);
  const longest = Math.max(...prompts.map((p) => p.length));
  const chunk = Math.min(options.chunk ?? 512, longest);
  const prepared = await prepare(spec, { ...options, context: options.context ?? longest, maxTokens: chunk, outputs: chunk, ...(pins === undefined ? {} : { pins: pinnedNames(pins) }) });
  try {
    const taps = tapsOf(prepared.compiled.bundle!.plan, prepared.compiled.module!.taps);
    const writer = await SafetensorsWriter.create(options.output, prompts.flatMap((prompt, i) => tensorsOf(prompt.length, i, prepared, taps)));
    try {
      for (const [i, prompt] of prompts.entries()) {
        const inputs = pins === undefined ? {} : await pinnedInputs(pins, prepared.compiled.pinned!, i, prompt.length);
        await writePrompt(prompt, `${i}`, prepared, { taps, writer, chunk, inputs });
      }
      await writer.commit();
    } catch (error) {
      await writer.discard();
      throw error;
    }
    note(`wrote ${options.output}: ${prompts.length} prompts, ${prompts.reduce((n, p) => n + p.length, 0)} positions${pins === undefined ? '' : ', chosen ids pinned'}`);
  } finally {
    await prepared.close();
  }
}

function tensorsOf(tokens: number, prompt: number, { model }: Prepared, taps: readonly Tap[]): TensorToWrite[] {
  return [
    { name: `logits.${prompt}`, dtype: 'F32', shape: [tokens, model.session.vocabulary] },
    ...taps.flatMap((tap) => tap.names.map((name) => ({ name: `${name}.${prompt}`, dtype: tap.dtype, shape: [tokens, tap.width] }))),
  ];
}

interface Writing { readonly taps: readonly Tap[]; readonly writer: SafetensorsWriter; readonly chunk: number; readonly inputs: Readonly<Record<string, Int32Array>> }

async function writePrompt(prompt: readonly number[], index: string, { model: { session } }: Prepared, { taps, writer, chunk, inputs }: Writing): Promise<void> {
  const line = new ProgressLine();
  for await (const { start, tokens, outputs } of runPrompt(session, prompt, ['logits', ...taps.map((t) => t.output)], { chunk, inputs })) {
    await writer.write(`logits.${index}`, bytesOf(outputs.logits), start * session.vocabulary * 4);
    for (const tap of taps) {
      for (const { name, data } of splitTap(tap, outputs[tap.output], tokens)) {
        await writer.write(`${name}.${index}`, bytesOf(data), start * tap.width * data.BYTES_PER_ELEMENT);
      }
    }
    line.update(() => `prompt ${index}: ${start + tokens} of ${prompt.length} tokens`);
  }
  line.end();
}

function bytesOf(array: HostArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

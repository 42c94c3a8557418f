/** Chosen ids from a file of taps, as `firn logits --taps` writes it: `NAME.I` int32 [tokens, active] for prompt I. */
import type { PinnedInput } from '../compiler/passes/pin.js';
import type { Checkpoint } from '../runtime/checkpoint.js';
import { CommandError } from './failure.js';

/** Names of the file's integer tensors without the prompt. Throws C30 if there are none. */
export function pinnedNames(file: Checkpoint): string[] {
  const names = new Set([...file.tensors.values()].filter((t) => t.dtype === 'I32' && /\.\d+$/.test(t.name)).map((t) => t.name.replace(/\.\d+$/, '')));
  if (names.size === 0) throw new CommandError('C30', `${file.path} holds no chosen ids (int32, NAME.PROMPT)`, 'write one with `firn logits --taps router`');
  return [...names];
}

/** The inputs of the plan for `prompt` of `tokens` tokens: [tokens, names, active]. Throws C31 for ids that do not fit. */
export async function pinnedInputs(file: Checkpoint, pinned: readonly PinnedInput[], prompt: number, tokens: number): Promise<Record<string, Int32Array>> {
  const out: Record<string, Int32Array> = {};
  for (const p of pinned) {
    const all = new Int32Array(tokens * p.names.length * p.active);
    for (const [i, name] of p.names.entries()) {
      const ids = await readIds(file, `${name}.${prompt}`, p, tokens);
      for (let t = 0; t < tokens; t++) all.set(ids.subarray(t * p.active, (t + 1) * p.active), (t * p.names.length + i) * p.active);
    }
    out[p.input] = all;
  }
  return out;
}

async function readIds(file: Checkpoint, name: string, { active, choices }: PinnedInput, tokens: number): Promise<Int32Array> {
  const bad = (what: string): CommandError => new CommandError('C31', `${file.path}: '${name}' ${what}`, 'write the file with `firn logits --taps router` for the same spec and prompts');
  const tensor = file.tensors.get(name);
  if (tensor === undefined) throw bad('is missing');
  if (tensor.dtype !== 'I32' || tensor.shape.join() !== `${tokens},${active}`) throw bad(`is ${tensor.dtype} [${tensor.shape.join(', ')}], the prompt needs I32 [${tokens}, ${active}]`);
  const ids = new Int32Array((await file.read(name)).slice().buffer);
  const wrong = ids.find((id) => id < 0 || id >= choices);
  if (wrong !== undefined) throw bad(`chooses ${wrong}, the model has ${choices}`);
  return ids;
}

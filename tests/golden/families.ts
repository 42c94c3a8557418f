/** Families of goldens: committed ones in tests/goldens, all of them where FIRN_GOLDENS points. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openCheckpoint } from '../../runtime/disk.js';

const committed = join(dirname(fileURLToPath(import.meta.url)), '..', 'goldens');
export const goldenFolder = process.env.FIRN_GOLDENS ?? committed;

/** Importable so far. */
const known = [
  'k2-tiny', 'k2-wide', 'k2-tiny-int4', 'mixtral-tiny', 'llama31-tiny', 'deepseek-v3-tiny', 'deepseek-v3-tiny-fp8', 'moonlight-tiny', 'bloom-tiny',
  'qwen3-moe-tiny',
];

const present = existsSync(goldenFolder) ? readdirSync(goldenFolder) : [];

export const families = known.filter((name) => present.includes(name));

/** Whether the goldens of a family are here, importable or not. */
export const hasFamily = (name: string): boolean => present.includes(name);

export interface Family {
  readonly folder: string;
  readonly prompts: readonly (readonly number[])[];
  readonly greedy: { readonly prompt: number; readonly tokens: readonly number[] };
  /** By name, as f32 (chosen ids as numbers). */
  read(name: string): Promise<Float32Array | Int32Array>;
  readonly names: readonly string[];
  close(): Promise<void>;
}

export async function openFamily(name: string): Promise<Family> {
  const folder = join(goldenFolder, name);
  const golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as Pick<Family, 'prompts' | 'greedy'>;
  const file = await openCheckpoint(join(folder, 'golden.safetensors'));
  return {
    folder, prompts: golden.prompts, greedy: golden.greedy, names: [...file.tensors.keys()],
    read: async (tensor) => {
      const bytes = (await file.read(tensor)).slice().buffer;
      return file.tensors.get(tensor)!.dtype === 'I32' ? new Int32Array(bytes) : new Float32Array(bytes);
    },
    close: () => file.close(),
  };
}

/** max|a - b| / max|b|. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values instead of ${expected.length}`);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(actual[i] - expected[i]);
    if (!(d <= difference)) difference = d;
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return difference / largest;
}

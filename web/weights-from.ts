/** The three places that weights can come from, as the page offers them. */
import { blobFolder } from '../runtime/blob-files.js';
import { type ByteFolder, readText } from '../runtime/byte-source.js';
import { CheckpointError } from '../runtime/checkpoint-error.js';
import { Checkpoint } from '../runtime/checkpoint.js';
import { httpFolder, type HttpOptions, openHttpFile } from '../runtime/http-files.js';

export type WeightsFrom =
  | { readonly kind: 'folder'; readonly files: readonly File[] }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'random'; readonly seed: number };

/** The folder that files picked with `webkitdirectory` are in; folders within it are left out. */
export function pickedFolder(files: readonly File[], signal: AbortSignal): ByteFolder {
  const top = files.filter((f) => f.webkitRelativePath.split('/').length <= 2);
  return blobFolder(files[0].webkitRelativePath.split('/')[0], top.map((f) => ({ name: f.name, blob: f })), signal);
}

/** A checkpoint, and the folder that it is in. */
export interface OpenedWeights { readonly checkpoint: Checkpoint; readonly folder: ByteFolder }

export async function openFolder(folder: ByteFolder): Promise<OpenedWeights> {
  return { checkpoint: await Checkpoint.fromFolder(folder), folder };
}

/** `url`: a folder, or one `.safetensors` file. Relative addresses start at the page. @throws CheckpointError */
export async function openUrl(url: string, options: HttpOptions): Promise<OpenedWeights> {
  const absolute = new URL(url, location.href);
  if (!absolute.pathname.endsWith('.safetensors')) return openFolder(httpFolder(absolute.href, options));
  const file = await openHttpFile(absolute.href, options);
  if (file === undefined) throw new CheckpointError({ code: 'F01', file: absolute.href, cause: 'is not there', fix: 'check the address' });
  return { checkpoint: await Checkpoint.fromFile(file), folder: httpFolder(new URL('.', absolute).href, options) };
}

/** The text of a file beside the weights; undefined if there is none. */
export async function textBeside(folder: ByteFolder, name: string): Promise<string | undefined> {
  const file = await folder.find(name);
  try {
    return file && await readText(file);
  } finally {
    await file?.close();
  }
}

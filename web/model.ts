/** From the page's choice of weights to a model that runs on the browser's GPU. */
import type { Device } from '../backends/device.js';
import { wgslDevice } from '../backends/wgsl/device.js';
import type { HttpOptions } from '../runtime/http-files.js';
import { load, type LoadedModel } from '../runtime/load-model.js';
import { stopTokensBeside, tokenizerBeside } from '../runtime/tokenizer/beside-weights.js';
import { byteTokenizer } from '../runtime/tokenizer/byte-tokenizer.js';
import type { Tokenizer } from '../runtime/tokenizer/tokenizer.js';
import type { CompiledModel } from './compiled-model.js';
import { PageError } from './failure.js';
import { openFolder, type OpenedWeights, openUrl, pickedFolder, textBeside, type WeightsFrom } from './weights-from.js';

/** @throws PageError W01, DeviceError D20, D21 */
export async function openGpu(): Promise<Device> {
  const gpu = navigator.gpu as GPU | undefined;
  if (gpu === undefined) {
    if (!window.isSecureContext) throw new PageError('W01', 'browsers offer WebGPU to secure pages only', 'open this page over https:// or from localhost');
    throw new PageError('W01', 'this browser has no WebGPU', 'use a current Chrome, Edge, Firefox or Safari; on Linux start Chrome with --enable-unsafe-webgpu --enable-features=Vulkan');
  }
  return wgslDevice(gpu);
}

/** How far loading is: bytes of something, of all of it. */
export interface LoadState { readonly what: string; readonly done: number; readonly total: number; readonly received: number }

/** `stop`: token ids that end a text, of the spec and of the checkpoint. */
export interface ReadyModel extends LoadedModel { readonly tokenizer: Tokenizer; readonly stop: readonly number[] }

/** Opens the weights first, so that what is wrong with them shows before kernels are compiled. Throws the signal's reason when aborted. */
export async function loadModel(device: Device, compiled: CompiledModel, from: WeightsFrom, signal: AbortSignal, onState: (state: LoadState) => void): Promise<ReadyModel> {
  const { bundle, sources, page } = compiled;
  const total = bundle.plan.weights.reduce((n, w) => n + w.bytes, 0);
  let state: LoadState = { what: 'reading headers', done: 0, total, received: 0 };
  const update = (change: Partial<LoadState>): void => onState((state = { ...state, ...change }));
  const opened = await openWeights(from, {
    signal,
    onBytes: (count) => update({ received: state.received + count, ...(state.what.startsWith('fetching') ? { done: state.received + count } : {}) }),
    onWhole: (path, bytes) => update({ what: `fetching all of ${path}, since the server sends no parts`, done: 0, ...(bytes > 0 ? { total: bytes } : {}) }),
  });
  try {
    if (opened !== undefined && sources === undefined) {
      throw new PageError('W02', 'this model was compiled from a spec without a weights section, so nothing says which stored tensor is which parameter', 'add a `weights { ... }` section to the spec and compile it again, or use random weights');
    }
    update({ what: `preparing ${bundle.plan.kernels.length} kernels`, done: 0, total });
    const beside = opened && { path: opened.folder.path.replace(/\/$/, ''), text: (name: string) => textBeside(opened.folder, name) };
    const tokenizer = beside === undefined ? byteTokenizer() : await tokenizerBeside(beside);
    const stop = [...page.stop, ...(beside === undefined ? [] : await stopTokensBeside(beside))];
    const model = await load(bundle, device, {
      weights: opened === undefined ? { seed: from.kind === 'random' ? from.seed : 0 } : { checkpoint: opened.checkpoint, sources: sources! },
      onProgress: ({ doneBytes }) => {
        signal.throwIfAborted();
        update({ what: 'weights on the GPU', done: doneBytes });
      },
    });
    return { ...model, tokenizer, stop };
  } finally {
    await opened?.checkpoint.close();
  }
}

async function openWeights(from: WeightsFrom, http: HttpOptions & { readonly signal: AbortSignal }): Promise<OpenedWeights | undefined> {
  switch (from.kind) {
    case 'random': return undefined;
    case 'folder':
      if (from.files.length === 0) throw new PageError('W03', 'no folder is chosen', 'choose the folder that holds model.safetensors');
      return openFolder(pickedFolder(from.files, http.signal));
    case 'url':
      if (from.url.trim() === '') throw new PageError('W03', 'no address is given', 'give the address of the folder that holds model.safetensors');
      return openUrl(from.url, http);
  }
}

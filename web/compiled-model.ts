/** What `firn compile --target wgsl` wrote beside the page. */
import type { Bundle, WeightSources } from '../compiler/ir/plan.js';
import { FormatError } from '../compiler/plan/json-reader.js';
import { readBundle } from '../compiler/plan/plan-json.js';
import { PageError } from './failure.js';

/** `page.json`: what a person at the page needs besides plan, kernels and the table of weights. */
export interface PageFile {
  readonly version: 1;
  /** Token ids that end a text. */
  readonly stop: readonly number[];
}

export interface CompiledModel {
  readonly bundle: Bundle;
  readonly page: PageFile;
  /** Absent if the spec says nothing of checkpoints: its weights can be random only. */
  readonly sources?: WeightSources;
}

const again = 'compile the spec again with this version of firn, and host all files that it writes';

/** @throws PageError W02 */
export async function fetchCompiledModel(): Promise<CompiledModel> {
  const [plan, kernels, page, sources] = await Promise.all([fetchText('plan.json'), fetchText('kernels.json'), fetchText('page.json'), fetchText('weights.json')]);
  if (plan === undefined || kernels === undefined || page === undefined) {
    throw new PageError('W02', `${plan === undefined ? 'plan.json' : kernels === undefined ? 'kernels.json' : 'page.json'} is not beside this page`, again);
  }
  try {
    const bundle = readBundle(plan, kernels);
    if (bundle.plan.target !== 'wgsl') throw new FormatError('plan.target', `is '${bundle.plan.target}', a browser runs 'wgsl'`);
    return { bundle, page: readPage(page), ...(sources === undefined ? {} : { sources: JSON.parse(sources) as WeightSources }) };
  } catch (error) {
    if (error instanceof FormatError || error instanceof SyntaxError) throw new PageError('W02', error.message, again);
    throw error;
  }
}

async function fetchText(name: string): Promise<string | undefined> {
  let response: Response;
  try {
    response = await fetch(name);
  } catch (error) {
    throw new PageError('W02', `${name} cannot be fetched: ${(error as Error).message}`, location.protocol === 'file:' ? 'open the page through a web server: npx http-server, python3 -m http.server, ...' : 'check the connection');
  }
  return response.ok ? response.text() : undefined;
}

function readPage(text: string): PageFile {
  const value = JSON.parse(text) as Partial<PageFile> | null;
  const stop = value?.stop;
  if (value?.version !== 1 || !Array.isArray(stop) || !stop.every((id) => Number.isSafeInteger(id))) throw new FormatError('page', 'is not the page.json of this version');
  return { version: 1, stop };
}

/** The web page that runs a compiled model: built with this package, written beside every plan for WebGPU. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { canonicalJson } from '../compiler/plan/canonical-json.js';
import { CommandError } from './failure.js';

/** `stop`: token ids that end a text. */
export function pageFiles(stop: readonly number[]): Map<string, string> {
  const built = (name: string): string => {
    const path = fileURLToPath(new URL(`../web/${name}`, import.meta.url));
    if (!existsSync(path)) throw new CommandError('C22', `the web page is not built: there is no ${path}`, 'npm run build');
    return readFileSync(path, 'utf8');
  };
  return new Map([['index.html', built('index.html')], ['firn.js', built('firn.js')], ['page.json', `${canonicalJson({ version: 1, stop })}\n`]]);
}

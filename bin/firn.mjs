#!/usr/bin/env node
import { existsSync, readdirSync, statSync } from 'node:fs';
import nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** What bundlers write. */
const bundled = ['bundle', 'web'];

/** Newest modification time of the compiled modules, in ms. */
function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) time = bundled.includes(entry.name) ? time : Math.max(time, newest(path));
    else if (entry.name.endsWith('.js')) time = Math.max(time, statSync(path).mtimeMs);
  }
  return time;
}

const bundle = at('dist/bundle/main.js');
const modules = at('dist/cli/main.js');
// In a clone, `tsc` alone may have run since the bundle was made.
const isFresh = existsSync(bundle) && (!existsSync(modules) || newest(at('dist')) <= statSync(bundle).mtimeMs);
const main = isFresh ? bundle : modules;
if (existsSync(main)) {
  nodeModule.enableCompileCache?.();
  await import(main);
} else {
  process.stderr.write('firn is not built yet. In its folder run:\n  npm run build        (needs the packages: npm ci --ignore-scripts)\n');
  process.exitCode = 1;
}

#!/usr/bin/env node
import { existsSync, statSync } from 'node:fs';
import nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const bundle = at('dist/bundle/main.js');
const modules = at('dist/cli/main.js');
// In a clone, `tsc` alone may have run since the bundle was made; it writes all modules, so that one of them tells.
const isFresh = existsSync(bundle) && (!existsSync(modules) || statSync(modules).mtimeMs <= statSync(bundle).mtimeMs);
const main = isFresh ? bundle : modules;
if (existsSync(main)) {
  nodeModule.enableCompileCache?.();
  await import(main);
} else {
  process.stderr.write('firn is not built yet. In its folder run:\n  npm run build        (needs the packages: npm ci --ignore-scripts)\n');
  process.exitCode = 1;
}

#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(fileURLToPath(main))) {
  await import(main);
} else {
  process.stderr.write('firn is not built yet. In its folder run:\n  npm run build        (needs the packages: npm ci --ignore-scripts)\n');
  process.exitCode = 1;
}

// The web page of a compiled model: index.html as it is, and everything that it runs as one file, for any static server.
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'dist', 'web');

mkdirSync(target, { recursive: true });
copyFileSync(join(root, 'web', 'index.html'), join(target, 'index.html'));
buildSync({
  entryPoints: [join(root, 'web', 'page.ts')], outfile: join(target, 'firn.js'), tsconfig: join(root, 'web', 'tsconfig.json'),
  bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'warning',
});

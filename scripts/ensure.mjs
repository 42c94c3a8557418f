// Makes a clone ready to run: installs the packages if they are missing, builds if a source is newer than the build.
// Node's own modules only, since nothing else is there yet.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(root, 'dist', '.built');

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

function run(what, command, args) {
  process.stderr.write(`${what} ...\n`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) fail(`${what} failed${error ? `: ${error.message}` : ''} (${command} ${args.join(' ')})`);
}

/** Newest modification time of the sources below `folder`, in ms. */
function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) time = Math.max(time, newest(path));
    else if (/\.(ts|html)$/.test(entry.name)) time = Math.max(time, statSync(path).mtimeMs);
  }
  return time;
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 11)) fail(`Node ${process.versions.node} is too old: firn needs 20.11 or newer`);

if (!existsSync(join(root, 'node_modules', 'typescript'))) {
  // No install script is needed; without them the installation is the same for every npm version.
  run('installing packages', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
}

const folders = ['dsl', 'compiler', 'backends', 'runtime', 'cli', 'web'].map((f) => join(root, f)).filter(existsSync);
const changed = Math.max(...['index.ts', 'core.ts', 'arguments.ts', 'tsconfig.json'].map((f) => statSync(join(root, f)).mtimeMs), ...folders.map(newest));
if (!existsSync(stamp) || statSync(stamp).mtimeMs < changed) {
  run('building', process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']);
  run('bundling', process.execPath, [join(root, 'scripts', 'bundle.mjs')]);
  run('bundling the web page', process.execPath, [join(root, 'scripts', 'bundle-page.mjs')]);
  writeFileSync(stamp, '');
  utimesSync(stamp, new Date(), new Date());
}

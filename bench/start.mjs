/**
 * How long commands take as whole processes, in ms: help, full K2 from its spec to a verified plan, 64 variants of it, and a
 * program of its own for the "mini" shape (its help, one token, and reading its file once). Medians. Prints JSON.
 *
 *   node bench/start.mjs [--runs 20] [--out bench/results/NAME.json]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

const options = { runs: 20, out: '' };
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = typeof options[process.argv[i].slice(2)] === 'number' ? Number(process.argv[i + 1]) : process.argv[i + 1];

const firn = ['node', 'bin/firn.mjs'];
const folder = mkdtempSync(join(tmpdir(), 'firn-'));
const program = join(folder, 'mini');

function once(command) {
  const started = performance.now();
  const { status, stderr } = spawnSync(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return performance.now() - started;
}

function measure(command, runs = options.runs) {
  once(command);
  const times = Array.from({ length: runs }, () => once(command)).sort((a, b) => a - b);
  return { median: Math.round(times[runs >> 1] * 10) / 10, least: Math.round(times[0] * 10) / 10, runs };
}

try {
  const few = Math.min(options.runs, 5);
  const times = {
    node: measure(['node', '-e', '0']),
    help: measure([...firn, '--help']),
    compileK2: measure([...firn, 'compile', 'examples/kimi-k2.firn', '--target', 'null', '-o', join(folder, 'k2')], few),
    explore64: measure([...firn, 'explore', 'examples/kimi-k2.firn', '--vary', 'experts=256,320,384,512', '--vary', 'active=4,6,8,10', '--vary', 'layers=32,48,61,64', '--json'], few),
  };
  once([...firn, 'build', 'examples/k2-mini.firn', '--init', '1', '--context', '512', '-o', program]);
  times.programHelp = measure([program, '--help']);
  writeFileSync(join(folder, 'ids.json'), '[1, 2, 3]');
  times.programToken = measure([program, '--tokens', join(folder, 'ids.json'), '--max-tokens', '1']);
  const started = performance.now();
  readFileSync(program);
  const read = Math.round(performance.now() - started);
  const result = { date: new Date().toISOString().slice(0, 10), commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(), cpu: cpus()[0].model, node: process.version, unit: 'ms', times, program: { bytes: statSync(program).size, read } };
  console.log(JSON.stringify(result, null, 1));
  if (options.out) writeFileSync(options.out, `${JSON.stringify(result, null, 1)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

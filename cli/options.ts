/** Parsers of option values; what they reject is a usage error. */
import { type Command, InvalidArgumentError, Option } from 'commander';

export const deviceNames = ['cpu', 'wgsl', 'reference', 'null'] as const;
export type DeviceName = (typeof deviceNames)[number];
export const targetNames = ['cpu', 'wgsl', 'null'] as const;
export type Target = (typeof targetNames)[number];
export const entryNames = ['prefill', 'decode'] as const;

export function positive(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of 1 or more.');
  return value;
}

export function seed(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 0xffffffff) throw new InvalidArgumentError('It must be a whole number from 0 to 4294967295.');
  return value;
}

export function temperature(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError('It must be a number of 0 or more; 0 takes the likeliest token.');
  return value;
}

/** For `--top-k`. */
export function limit(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 0x7fffffff) throw new InvalidArgumentError('It must be a whole number; 0 is no limit.');
  return value;
}

/** For `--top-p`. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1)) throw new InvalidArgumentError('It must be more than 0 and at most 1; 1 is no limit.');
  return value;
}

/** For options that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

export function names(text: string): string[] {
  return text.split(',').map((name) => name.trim()).filter((name) => name !== '');
}

export function deviceOption(): Option {
  return new Option('--device <name>', 'what it runs on (a hardware GPU through WebGPU if there is one, else cpu)').choices(deviceNames);
}

export function targetOption(fallback: Target): Option {
  return new Option('--target <name>', 'what to compile for').choices(targetNames).default(fallback);
}

export function precisionOption(): Option {
  return new Option('--precision <dtype>', 'of activations and cache, instead of what the spec says').choices(['f32', 'bf16']);
}

/** `--json` where a program would read the result. */
export function withJson(command: Command): Command {
  return command.option('--json', 'write the result as JSON on standard output');
}

export function example(command: Command, ...lines: string[]): Command {
  return command.addHelpText('after', `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

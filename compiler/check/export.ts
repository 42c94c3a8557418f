/** `export name = value`: outputs that somebody may ask for; nothing is built for the others. */
import { isFloat } from '../ir/dtype.js';
import { building, claim, type Frame } from './frame.js';
import type { TensorValue } from './value.js';

function pathOf(frame: Frame, name: string): string {
  const { path } = frame.instance;
  return path === '' ? name : `${path}.${name}`;
}

/** Makes the name known and says whether its value is wanted. */
export function isExported(frame: Frame, name: string): boolean {
  const { instance, run } = frame;
  claim(instance);
  run.exported.add(instance.site === '' ? name : `${instance.site}.${name}`);
  const path = pathOf(frame, name);
  const wanted = run.wanted(path);
  run.decisions.push({ path, value: String(wanted), decide: (at) => String(run.wanted(at)) });
  return wanted;
}

/** Puts the value under its path among the outputs, if it is wanted. */
export function exportTensor(frame: Frame, name: string, value: TensorValue): void {
  if (!isExported(frame, name)) return;
  const found = frame.graph.use(value);
  // Widened here, not where it leaves the model: by then the values of all iterations are stacked in one.
  const wide = isFloat(found.type.dtype) && found.type.dtype !== 'f32' ? building(frame, value.span).cast(found, 'f32') : found;
  frame.graph.exports.push({ paths: [pathOf(frame, name)], value: wide });
}

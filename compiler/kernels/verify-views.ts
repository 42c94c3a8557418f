/** Laws of views and of the grid: what is declared before the body. */
import type { Program, Scalar, View } from '../ir/kernel.js';
import { printView } from './print.js';
import { checkPacking, isCoded } from './packing-address.js';
import { visitScalar } from './scalar.js';
import type { Violation } from './verify.js';

export function verifyDeclarations(program: Program): Violation[] {
  const out: Violation[] = [];
  const report = (law: string, message: string, statement: string): void => { out.push({ law, message, statement }); };
  program.views.forEach((v, i) => {
    const text = printView(v);
    if (program.views.findIndex((w) => w.name === v.name) !== i) report('names', `view '${v.name}' is declared twice`, text);
    for (const [law, message] of viewFaults(v)) report(law, message, text);
  });
  program.grid.forEach((g, i) => {
    if (program.grid.findIndex((h) => h.name === g.name) !== i) report('names', `grid axis '${g.name}' appears twice`, 'grid');
    if (!overDims(g.extent)) report('grid', `the extent of grid axis '${g.name}' must be an expression over dims`, 'grid');
  });
  for (const [key, value] of Object.entries(program.schedule)) if (!Number.isFinite(value)) report('schedule', `${key} is ${value}`, 'schedule');
  return out;
}

/** True if `s` is known before the launch starts. */
function overDims(s: Scalar): boolean {
  let known = true;
  visitScalar(s, (part) => { if (part.kind === 'var' || part.kind === 'element') known = false; });
  return known;
}

function viewFaults(v: View): [law: string, message: string][] {
  const faults: [string, string][] = [];
  const names = v.axes.map((a) => a.name);
  if (new Set(names).size !== names.length) faults.push(['views', 'an axis appears twice']);
  if (v.packing.order.join() !== names.join()) faults.push(['views', `packing order [${v.packing.order.join(', ')}] does not repeat the axes`]);
  if (v.axes.some((a) => !overDims(a.extent))) faults.push(['views', 'extents must be expressions over dims']);
  if (v.strides) {
    if (v.packing.kind !== 'dense') faults.push(['views', 'only dense views have strides']);
    if (v.strides.length !== names.length || v.strides.some((s) => !Number.isInteger(s) || s < 0)) faults.push(['views', `strides [${v.strides.join(', ')}] for ${names.length} axes`]);
  }
  if (v.packing.kind !== 'dense') {
    if (v.axes.slice(1).some((a) => a.extent.kind !== 'int')) faults.push(['views', 'of a packed view only the outermost extent may be dynamic']);
    if (v.access !== 'read') faults.push(['views', `a ${v.packing.kind} view may only be read`]);
    try { checkPacking(v.packing); } catch (error) { faults.push(['packing', (error as Error).message]); }
  }
  if (isCoded(v.packing) && v.dtype !== 'f32' && v.dtype !== 'bf16') faults.push(['packing', `${v.packing.kind} is loaded as f32 or bf16, not ${v.dtype}`]);
  return faults;
}

/** Runs in the page that `explore` writes, from one inlined file: draws a Vega-Lite spec into an element. */
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

async function plot(container: string, spec: TopLevelSpec): Promise<void> {
  await new View(parse(compile(spec).spec), { renderer: 'svg', container, hover: true }).runAsync();
}

Object.assign(globalThis, { plot });

/** An exploration as one HTML file that needs nothing else: the table, and plots that the inlined library draws. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Exploration } from '../compiler/model/explore.js';
import { measureNames, measures } from '../compiler/model/measures.js';
import { explorationRows, formatMeasure } from './explore-table.js';
import { CommandError } from './failure.js';

/** The library that `npm run build` bundles, seen from the bundle or from the compiled modules. */
export function plotLibrary(): string {
  const path = fileURLToPath(new URL('../web/plots.js', import.meta.url));
  if (!existsSync(path)) throw new CommandError('C32', 'the library that draws plots was not built', 'run: npm run build');
  return readFileSync(path, 'utf8');
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
}

/** No `</script>` inside a script. Only that: elsewhere `</` may be part of a regular expression. */
function inScript(text: string): string {
  return text.replace(/<\/(?=script)/gi, '<\\/');
}

const style = `body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1b2733 }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums } th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #dde3e8 }
th { position: sticky; top: 0; background: #fff } tr.front { background: #e5f2ff; font-weight: 600 } tr.out { color: #98a3ad } .scroll { overflow: auto; max-height: 32rem }
select { font: inherit } .plots { display: flex; flex-wrap: wrap; gap: 2rem } p { max-width: 50rem }`;

/** What runs in the page: one plot whose axes can be chosen. */
const script = `const data = JSON.parse(document.getElementById('data').textContent);
const field = (name) => ({ field: name, type: 'quantitative', title: data.titles[name], scale: { zero: false } });
const spec = (x, y) => ({
  width: 640, height: 400, data: { values: data.rows },
  layer: [
    { transform: [{ filter: 'datum.state === "front"' }], mark: { type: 'line', color: '#1f6fb5', opacity: .5 }, encoding: { x: field(x), y: field(y), order: { field: x } } },
    { mark: { type: 'point', filled: true, size: 70 }, encoding: { x: field(x), y: field(y), tooltip: [{ field: 'variant' }, { field: x, title: data.titles[x] }, { field: y, title: data.titles[y] }],
      color: { field: 'state', title: null, scale: { domain: ['front', 'within', 'out'], range: ['#1f6fb5', '#7a8b99', '#d9c3c3'] } } } },
  ],
});
const choose = (id, value) => { const s = document.getElementById(id); for (const [k, t] of Object.entries(data.titles)) s.add(new Option(t, k, false, k === value)); s.onchange = draw; return s; };
const draw = () => { document.getElementById('plot').replaceChildren(); return plot('#plot', spec(document.getElementById('x').value, document.getElementById('y').value)); };
choose('x', data.x); choose('y', data.y); draw();`;

export function explorationPage(e: Exploration, library: string): string {
  const rows = explorationRows(e);
  const state = (mark: string): string => (mark === '*' ? 'front' : mark === '' ? 'within' : 'out');
  const points = rows.flatMap(({ variant, mark }) => (variant.measures === undefined ? [] : [{ ...variant.measures, variant: e.paths.map((p, i) => `${p} = ${variant.values[i]}`).join(', ') || e.model, state: state(mark) }]));
  const data = { rows: points, titles: Object.fromEntries(measureNames.map((m) => [m, `${measures[m].title}${measures[m].unit === 'seconds' ? ' (s)' : ''}`])), x: e.objectives[1] ?? 'decode', y: e.objectives[0] };
  const cells = rows.map(({ variant, mark }) => `<tr class="${state(mark)}">${[...variant.values, ...measureNames.map((m) => (variant.measures === undefined ? '' : formatMeasure(m, variant.measures[m]))), variant.measures === undefined ? variant.diagnostics[0]?.message ?? '' : mark].map((c) => `<td>${escape(c)}</td>`).join('')}</tr>`);
  const heads = [...e.paths, ...measureNames.map((m) => measures[m].title), ''].map((h) => `<th>${escape(h)}</th>`).join('');
  const budgets = e.budgets.map((b) => `${measures[b.measure].title} ${b.relation} ${formatMeasure(b.measure, b.limit)}`).join(', ');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(e.model)}: ${e.variants.length} variants</title><style>${style}</style></head><body>
<h1>${escape(e.model)}: ${e.variants.length} variants</h1>
<p>On ${escape(e.device.name)}, with ${e.context} tokens of context and a batch of ${e.batch}. Times are modelled: for each kernel a launch, and the longer of its bytes over the bandwidth and its operations over the peak; a real device takes longer. ${budgets === '' ? '' : `Budget: ${escape(budgets)}. `}The Pareto front is about ${escape(e.objectives.map((o) => `${measures[o].better} ${measures[o].title}`).join(', '))}.</p>
<p><label>across <select id="x"></select></label> <label>up <select id="y"></select></label></p>
<div id="plot"></div>
<div class="scroll"><table><thead><tr>${heads}</tr></thead><tbody>
${cells.join('\n')}
</tbody></table></div>
<script id="data" type="application/json">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>
<script>${inScript(library)}</script>
<script>${inScript(script)}</script>
</body></html>
`;
}

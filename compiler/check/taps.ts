/** Which exports somebody wants, and the public names that `tap` rules give them. */
import type { WeightsSection } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { suggest } from '../../dsl/suggest.js';
import { selectorText } from '../../dsl/selector-text.js';
import { report, type Elaboration } from './frame.js';
import { fillName, matchSelector } from './selectors.js';

export interface Taps {
  /** The public names of the export at `path`: by rule, else the path itself. */
  names(path: string): readonly string[];
  wanted(path: string): boolean;
  /** Reports rules that name no export, and requests that name no tap. `sites`: paths of exports without indices. */
  check(run: Elaboration, sites: ReadonlySet<string>, span: Span): void;
}

/** `requested`: all of them, none, or those whose name (or its first part) is listed; a name with `?` behind may be missing. */
export function readTaps(section: WeightsSection | undefined, requested: boolean | readonly string[]): Taps {
  const rules = (section?.rules ?? []).filter((r) => r.kind === 'tap');
  const seen = new Set<string>();
  const names = (path: string): readonly string[] => {
    const public_ = rules.flatMap((r) => { const c = matchSelector(r.target, path); return c === undefined ? [] : [fillName(r.name.value, c)]; });
    return public_.length > 0 ? public_ : [path];
  };
  const listed = typeof requested === 'boolean' ? [] : requested.map((r) => r.replace(/\?$/, ''));
  const asked = (name: string): boolean => requested === true || listed.some((r) => name === r || name.startsWith(`${r}.`));
  return {
    names,
    wanted: (path) => {
      const all = names(path);
      for (const n of all) { seen.add(n); seen.add(n.split('.')[0]); }
      return requested !== false && all.some(asked);
    },
    check: (run, sites, span) => {
      for (const r of rules) {
        const target = selectorText(r.target);
        if (!sites.has(target.replace(/\[[^\]]*\]/g, ''))) report(run, messages.tapNothing(target, suggest(target.replace(/\[[^\]]*\]/g, ''), sites), r.span));
      }
      if (typeof requested === 'boolean') return;
      for (const r of requested) {
        if (!r.endsWith('?') && ![...seen].some((n) => n === r || n.startsWith(`${r}.`))) report(run, messages.unknownTap(r, [...new Set([...seen].map((n) => n.split('.')[0]))].slice(0, 8), suggest(r, seen), span));
      }
    },
  };
}

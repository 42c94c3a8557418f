import type { WeightRule } from '../../dsl/ast.js';
import type { Storage } from '../ir/graph.js';
import type { DType } from '../ir/dtype.js';
import { nameVariants } from '../ir/weight-sources.js';
import { instantiateName, matchPath, NameError, parseName, parsePath } from './weight-names.js';

/**
 * What a checkpoint stores for a parameter's path, found through the names alone, before anything has a shape. `stored`
 * says the dtype of a stored tensor, undefined if there is none of that name. Axes spelled out in a name are looked up at
 * index 0. Rules that are wrong say nothing here; `resolveWeightSources` reports them.
 */
export function storedDTypes(rules: readonly WeightRule[], stored: (name: string) => DType | undefined): (path: string) => Storage | undefined {
  const maps = rules.filter((rule) => rule.kind === 'map');
  return (path) => {
    const segments = parsePath(path);
    for (const rule of maps) {
      try {
        const match = matchPath(rule.target, segments);
        const name = match && instantiateName(parseName(rule.sources[0].value), match, match.axes.map(() => ''));
        for (const variant of name === undefined ? [] : nameVariants(name)) {
          const dtype = stored(variant.replaceAll('{}', '0'));
          if (dtype !== undefined) return { kind: 'plain', dtype };
        }
      } catch (error) {
        if (!(error instanceof NameError)) throw error;
      }
    }
    return undefined;
  };
}

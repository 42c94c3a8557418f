/**
 * Arrays read four elements at a time. An array declared as `array<vec4<T>>` can still be read by element; where an
 * index is known to be a multiple of four plus a constant, the whole vector is read once and its components are used.
 */
import { affineText, divide, modulo, type Affine } from './affine.js';
import type { Scope, Value } from './scope.js';

const components = ['x', 'y', 'z', 'w'] as const;

export class VectorArrays {
  /** Which components of which vectors were wanted, per array. */
  private readonly wanted = new Map<string, Map<string, Set<number>>>();

  /** `chosen`: the arrays that are declared as vectors. */
  constructor(private readonly chosen: ReadonlySet<string>) {}

  has(array: string): boolean {
    return this.chosen.has(array);
  }

  /** Arrays of which some vector was used for more than one component. */
  worthwhile(): Set<string> {
    return new Set([...this.wanted].filter(([, vectors]) => [...vectors.values()].some((used) => used.size > 1)).map(([array]) => array));
  }

  /** Element `index`. `level`: where the array's contents are settled. */
  read(array: string, index: Affine, scope: Scope, level: number): Value {
    if (!this.has(array)) {
      const at = scope.index(index);
      return { text: `${array}[${at.text}]`, level: Math.max(at.level, level) };
    }
    const vector = scope.index(divide(index, 4, scope.bind));
    const component = modulo(index, 4, scope.bind);
    const text = `${array}[${vector.text}]`;
    if (component.terms.length > 0) return { text: `${text}[${affineText(component)}]`, level: Math.max(vector.level, level, ...component.terms.map((t) => t.atom.level)) };
    const used = this.wanted.get(array) ?? new Map<string, Set<number>>();
    used.set(text, (used.get(text) ?? new Set()).add(component.constant));
    this.wanted.set(array, used);
    const whole = { text, level: Math.max(vector.level, level) };
    return { text: `${scope.name(whole, 'v')}.${components[component.constant]}`, level: whole.level };
  }

  /** The place to assign element `index` to. */
  place(array: string, index: Affine, scope: Scope): string {
    if (!this.has(array)) return `${array}[${scope.index(index).text}]`;
    const vector = scope.index(divide(index, 4, scope.bind)).text;
    return `${array}[${vector}][${scope.index(modulo(index, 4, scope.bind)).text}]`;
  }
}

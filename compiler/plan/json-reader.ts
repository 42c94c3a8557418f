/** Strict readers of JSON: each checks one shape and names the path of what does not fit. Unknown fields are refused. */
export type Reader<T> = (value: unknown, path: string) => T;

/** A document is not what its format says. `path` is where, `plan.entries[0].name`. */
export class FormatError extends Error {
  constructor(readonly path: string, readonly problem: string) {
    super(`${path}: ${problem}`);
    this.name = 'FormatError';
  }
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

function fail(path: string, expected: string, value: unknown): never {
  throw new FormatError(path, `expected ${expected}, found ${shown(value)}`);
}

export const text: Reader<string> = (v, path) => (typeof v === 'string' ? v : fail(path, 'a string', v));
export const flag: Reader<boolean> = (v, path) => (typeof v === 'boolean' ? v : fail(path, 'true or false', v));
export const number: Reader<number> = (v, path) => (typeof v === 'number' && Number.isFinite(v) ? v : fail(path, 'a number', v));
export const integer: Reader<number> = (v, path) => (Number.isSafeInteger(v) ? (v as number) : fail(path, 'an integer', v));
export const size: Reader<number> = (v, path) => (Number.isSafeInteger(v) && (v as number) >= 0 ? (v as number) : fail(path, 'an integer not below 0', v));

export function oneOf<const T extends string | number>(...values: readonly T[]): Reader<T> {
  return (v, path) => (values.includes(v as T) ? (v as T) : fail(path, values.length === 1 ? shown(values[0]) : `one of ${values.map(shown).join(', ')}`, v));
}

export function list<T>(item: Reader<T>): Reader<T[]> {
  return (v, path) => (Array.isArray(v) ? v.map((x, i) => item(x, `${path}[${i}]`)) : fail(path, 'a list', v));
}

type Fields = Readonly<Record<string, Reader<unknown>>>;
type Shape<R extends Fields, O extends Fields> = { readonly [K in keyof R]: ReturnType<R[K]> } & { readonly [K in keyof O]?: ReturnType<O[K]> };

function object(v: unknown, path: string): Record<string, unknown> {
  return typeof v === 'object' && v !== null && !Array.isArray(v) ? (v as Record<string, unknown>) : fail(path, 'an object', v);
}

export function record<R extends Fields, O extends Fields = Record<never, never>>(required: R, optional?: O): Reader<Shape<R, O>> {
  const all: Fields = { ...required, ...optional };
  return (v, path) => {
    const given = object(v, path);
    for (const key of Object.keys(required)) if (!(key in given)) throw new FormatError(path, `has no field '${key}'`);
    const out: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(given)) {
      if (!Object.hasOwn(all, key)) throw new FormatError(path, `has the unknown field '${key}'`);
      out[key] = all[key](value, `${path}.${key}`);
    }
    return out as Shape<R, O>;
  };
}

/** Any keys, one kind of value. */
export function dictionary<T>(item: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (v, path) => Object.fromEntries(Object.entries(object(v, path)).map(([key, value]) => [key, item(value, `${path}.${key}`)]));
}

/** A union told apart by `kind`. */
export function byKind<const M extends Readonly<Record<string, Reader<unknown>>>>(readers: M): Reader<ReturnType<M[keyof M]>> {
  return (v, path) => {
    const kind = oneOf(...Object.keys(readers))(object(v, path).kind, `${path}.kind`);
    return readers[kind](v, path) as ReturnType<M[keyof M]>;
  };
}

/** For recursive shapes. */
export function lazy<T>(make: () => Reader<T>): Reader<T> {
  let made: Reader<T> | undefined;
  return (v, path) => (made ??= make())(v, path);
}

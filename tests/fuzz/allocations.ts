/** Sees every array of bytes or numbers that is asked for, also one whose pages are never touched. */
const kinds = ['ArrayBuffer', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'] as const;

let largest = 0;

/** Bytes of the largest array since the last call. */
export function largestAllocation(): number {
  const found = largest;
  largest = 0;
  return found;
}

/** From here on, for all code of this process. */
export function watchAllocations(): void {
  const globals = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;
  for (const name of kinds) {
    const original = globals[name];
    const element = (original as unknown as { readonly BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
    globals[name] = new Proxy(original, {
      construct(target, args: unknown[], from) {
        const [size] = args;
        if (typeof size === 'number' && size * element > largest) largest = size * element;
        return Reflect.construct(target, args, from) as object;
      },
    });
  }
}

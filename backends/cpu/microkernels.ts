/**
 * The register-blocked inner loops of dots, written per shape: `rows` x `vectors` accumulators as named variables (an
 * array of vectors would be kept on the stack and stored at every step). They are inlined where they are called, with
 * constant strides.
 */
import { floatBits, type FloatCode } from '../../compiler/kernels/float-codes.js';
import type { Level } from './levels.js';

export type Element = 'f32' | 'bf16' | 'f16';

export interface Microkernel { readonly name: string; readonly text: string }

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const pointee = (e: Element): string => (e === 'f32' ? 'float' : 'uint16_t');
const loader = (e: Element): string => (e === 'f32' ? 'load' : `load_${e}`);

/** Where vector `v` of a block starts within panels of 8 that lie `bp` apart. */
function vectorOffset(v: number, lanes: number): string {
  const panel = Math.floor((v * lanes) / 8);
  const within = (v * lanes) % 8;
  const parts = [...(panel === 0 ? [] : [panel === 1 ? 'bp' : `${panel} * bp`]), ...(within === 0 ? [] : [String(within)])];
  return parts.length === 0 ? '' : ` + ${parts.join(' + ')}`;
}

/**
 * c[m][v] += sum over k < n of a[m * am + k * ak] * vector v of b at k. b: elements `bk` apart per k; every 8 lanes
 * continue `bp` elements further.
 */
export function outerKernel(element: Element, rows: number, vectors: number, level: Level): Microkernel {
  const name = `outer_${element}_${rows}x${vectors}`;
  const { lanes } = level;
  const all = count(rows).flatMap((m) => count(vectors).map((v) => [m, v] as const));
  const at = (v: number): string => `${loader(element)}(b + k * bk${vectorOffset(v, lanes)})`;
  const lines = [
    `FIRN_INLINE void ${name}(const float* a, int64_t am, int64_t ak, const ${pointee(element)}* b, int64_t bk, int64_t bp, int n, float* c, int64_t cm) {`,
    ...all.map(([m, v]) => `  vf c${m}_${v} = load(c + ${m} * cm + ${v * lanes});`),
    '  for (int k = 0; k < n; ++k) {',
    // One row uses each vector once: named, they would take the registers of the sums.
    ...(rows === 1 ? [] : count(vectors).map((v) => `    const vf b${v} = ${at(v)};`)),
    ...count(rows).flatMap((m) => [
      `    const vf a${m} = splat(a[${m} * am + k * ak]);`,
      ...count(vectors).map((v) => `    c${m}_${v} += a${m} * ${rows === 1 ? at(v) : `b${v}`};`),
    ]),
    '  }',
    ...all.map(([m, v]) => `  put(c + ${m} * cm + ${v * lanes}, c${m}_${v});`),
    '}',
  ];
  return { name, text: lines.join('\n') };
}

/** Byte offsets in a panel of int4 blocks of the words and scales of vector `v`; `half`: first lane (0 or 4). */
function int4Offsets(v: number, lanes: number, group: number): { panel: string; word: string; scale: string } {
  const panel = Math.floor((v * lanes) / 8);
  const within = (v * lanes) % 8;
  const lane = lanes === 8 ? '' : ` + (${within} + half) * `;
  const base = panel === 0 ? 'q' : panel === 1 ? 'q + bp' : `q + ${panel} * bp`;
  return { panel: base, word: lane === '' ? '' : `${lane}4`, scale: ` + ${group * 4}${lane === '' ? '' : `${lane}2`}` };
}

/** Bytes ahead that weights are fetched: what is read in about the memory's latency. */
const ahead = 1024;
/** Panels shorter than this end before that: there the same place of the next panels is fetched. */
const shortPanel = 4096;

/**
 * c[m][v] += sum over k of x[m * xm + k] * w, w int4 in blocks of `group` (see Packing). Codes are summed unsigned,
 * `s[m * sm + g]` = 8 * the sum of x over group g is taken off, and the group is scaled once. `bp`: bytes between panels.
 * Codes are converted where they stand in their word, which saves shifting them: x comes divided by 16 ** (k mod 8) (see `code_scale`).
 */
export function int4Kernel(rows: number, vectors: number, group: number, level: Level): Microkernel {
  const name = `int4_${group}_${rows}x${vectors}`;
  const { lanes } = level;
  const block = group * 4 + 16;
  const at = count(vectors).map((v) => int4Offsets(v, lanes, group));
  const all = count(rows).flatMap((m) => count(vectors).map((v) => [m, v] as const));
  const panels = [...new Set(at.map((o) => o.panel))];
  const lines = [
    `FIRN_INLINE void ${name}(const float* a, int64_t am, const float* s, int64_t sm, const uint8_t* b, int64_t bp, int half, int groups, float* c, int64_t cm) {`,
    '  (void)half;',
    ...(rows > 1 ? [] : [`  const int64_t ahead = bp < ${shortPanel} ? ${panels.length} * bp : ${ahead};`]),
    '  for (int g = 0; g < groups; ++g) {',
    `    const uint8_t* q = b + (int64_t)g * ${block};`,
    `    const float* x = a + (int64_t)g * ${group};`,
    ...(rows > 1 ? [] : panels.flatMap((p) => count(Math.ceil(block / 64)).map((i) => `    __builtin_prefetch(${p} + ahead + ${i * 64});`))),
    ...all.map(([m, v]) => `    vf g${m}_${v} = {};`),
    `    for (int j = 0; j < ${group / 8}; ++j) {`,
    ...count(vectors).map((v) => `      const vu w${v} = load_words(${at[v].panel} + j * 32${at[v].word});`),
    ...count(8).flatMap((i) => [
      ...count(rows).map((m) => `      const vf x${i}_${m} = splat(x[${m} * am + j * 8 + ${i}]);`),
      ...count(vectors).flatMap((v) => [
        `      const vf q${i}_${v} = code_in_place<${i}>(w${v});`,
        ...count(rows).map((m) => `      g${m}_${v} += q${i}_${v} * x${i}_${m};`),
      ]),
    ]),
    '    }',
    ...count(vectors).flatMap((v) => [
      `    const vf s${v} = load_bf16((const uint16_t*)(${at[v].panel}${at[v].scale}));`,
      ...count(rows).map((m) => `    put(c + ${m} * cm + ${v * lanes}, load(c + ${m} * cm + ${v * lanes}) + s${v} * (g${m}_${v} - splat(s[${m} * sm + g])));`),
    ]),
    '  }',
    '}',
  ];
  return { name, text: lines.join('\n') };
}

/**
 * Unpacks `vectors` vectors of int4 rows to f32: element k of vector v at out[k * vectors * lanes + v * lanes]. Fetches the
 * same stretch of the next panels, which is unpacked after all rows have used this one.
 */
export function int4Unpacker(vectors: number, group: number, level: Level): Microkernel {
  const name = `unpack_int4_${group}_x${vectors}`;
  const { lanes } = level;
  const block = group * 4 + 16;
  const at = count(vectors).map((v) => int4Offsets(v, lanes, group));
  const panels = [...new Set(at.map((o) => o.panel))];
  const lines = [
    `FIRN_INLINE void ${name}(const uint8_t* b, int64_t bp, int half, int groups, float* out) {`,
    '  (void)half;',
    '  for (int g = 0; g < groups; ++g) {',
    `    const uint8_t* q = b + (int64_t)g * ${block};`,
    ...panels.flatMap((p) => count(Math.ceil(block / 64)).map((i) => `    __builtin_prefetch(${p} + ${panels.length} * bp + ${i * 64}, 0, 2);`)),
    ...count(vectors).map((v) => `    const vf s${v} = load_bf16((const uint16_t*)(${at[v].panel}${at[v].scale}));`),
    ...count(vectors).map((v) => `    const vf z${v} = s${v} * -8.0f;`),
    `    for (int j = 0; j < ${group / 8}; ++j) {`,
    ...count(vectors).map((v) => `      const vu w${v} = load_words(${at[v].panel} + j * 32${at[v].word});`),
    `      float* to = out + (g * ${group} + j * 8) * ${vectors * lanes};`,
    ...count(8).flatMap((i) => count(vectors).map((v) => `      put(to + ${(i * vectors + v) * lanes}, code(w${v}, ${4 * i}) * s${v} + z${v});`)),
    '    }',
    '  }',
    '}',
  ];
  return { name, text: lines.join('\n') };
}

/** Where words and scales of vector `v` of small floats are: bytes of a group, C++ pointers at group `g`, how scales are read. */
function scaledPlaces(code: FloatCode, vectors: number, group: number, lanes: number): { perWord: number; words: number; loads: string[] } {
  const perWord = 32 / floatBits[code];
  const words = group / perWord;
  const [bytes, load] = code === 'e4m3' ? [4, 'load_floats'] : [1, 'load_exponents'];
  const loads = count(vectors).map((v) => {
    const panel = `b + ${Math.floor((v * lanes) / 8)} * bp + g * ${words * 32 + 8 * bytes}`;
    const lane = lanes === 8 ? '0' : `(${(v * lanes) % 8} + half)`;
    return `    const uint8_t* q${v} = ${panel} + ${lane} * 4;\n    const vf s${v} = ${load}(${panel} + ${words * 32} + ${lane} * ${bytes});`;
  });
  return { perWord, words, loads };
}

/** c[m][v] += sum over k of a[m * am + k * ak] * w, w codes of small floats in blocks of `group`, scaled once per group. */
export function scaledKernel(code: FloatCode, rows: number, vectors: number, group: number, level: Level): Microkernel {
  const name = `${code}_${group}_${rows}x${vectors}`;
  const { perWord, words, loads } = scaledPlaces(code, vectors, group, level.lanes);
  const all = count(rows).flatMap((m) => count(vectors).map((v) => [m, v] as const));
  const lines = [
    `FIRN_INLINE void ${name}(const float* a, int64_t am, int64_t ak, const uint8_t* b, int64_t bp, int half, int groups, float* c, int64_t cm) {`,
    '  (void)half;',
    '  (void)bp;',
    '  for (int64_t g = 0; g < groups; ++g) {',
    `    const float* x = a + g * ${group} * ak;`,
    ...loads,
    ...all.map(([m, v]) => `    vf g${m}_${v} = {};`),
    `    for (int j = 0; j < ${words}; ++j) {`,
    ...count(vectors).map((v) => `      const vu w${v} = load_words(q${v} + j * 32);`),
    ...count(perWord).flatMap((i) => [
      ...count(rows).map((m) => `      const vf x${i}_${m} = splat(x[${m} * am + (j * ${perWord} + ${i}) * ak]);`),
      ...count(vectors).flatMap((v) => [
        `      const vf q${i}_${v} = ${code}_values(w${v}, ${floatBits[code] * i});`,
        ...count(rows).map((m) => `      g${m}_${v} += q${i}_${v} * x${i}_${m};`),
      ]),
    ]),
    '    }',
    ...all.map(([m, v]) => `    put(c + ${m} * cm + ${v * level.lanes}, load(c + ${m} * cm + ${v * level.lanes}) + s${v} * g${m}_${v});`),
    '  }',
    '}',
  ];
  return { name, text: lines.join('\n') };
}

/** As `int4Unpacker`, of codes of small floats. */
export function scaledUnpacker(code: FloatCode, vectors: number, group: number, level: Level): Microkernel {
  const name = `unpack_${code}_${group}_x${vectors}`;
  const { lanes } = level;
  const { perWord, words, loads } = scaledPlaces(code, vectors, group, lanes);
  const lines = [
    `FIRN_INLINE void ${name}(const uint8_t* b, int64_t bp, int half, int groups, float* out) {`,
    '  (void)half;',
    '  (void)bp;',
    '  for (int64_t g = 0; g < groups; ++g) {',
    ...loads,
    `    for (int j = 0; j < ${words}; ++j) {`,
    ...count(vectors).map((v) => `      const vu w${v} = load_words(q${v} + j * 32);`),
    `      float* to = out + (g * ${group} + j * ${perWord}) * ${vectors * lanes};`,
    ...count(perWord).flatMap((i) => count(vectors).map((v) => `      put(to + ${(i * vectors + v) * lanes}, ${code}_values(w${v}, ${floatBits[code] * i}) * s${v});`)),
    '    }',
    '  }',
    '}',
  ];
  return { name, text: lines.join('\n') };
}

/** Copies a block of `vectors` vectors to f32, as `int4Unpacker` lays it out. */
export function widener(element: Element, vectors: number, level: Level): Microkernel {
  const name = `widen_${element}_x${vectors}`;
  const { lanes } = level;
  const lines = [
    `FIRN_INLINE void ${name}(const ${pointee(element)}* b, int64_t bk, int64_t bp, int n, float* out) {`,
    '  (void)bp;',
    '  for (int k = 0; k < n; ++k) {',
    ...count(vectors).map((v) => `    put(out + k * ${vectors * lanes} + ${v * lanes}, ${loader(element)}(b + k * bk${vectorOffset(v, lanes)}));`),
    '  }',
    '}',
  ];
  return { name, text: lines.join('\n') };
}

/** c[m * cm + v * cn] += sum over k < n of a[m * am + k] * b[v * bn + k]: both contiguous along k, lanes are k. */
export function innerKernel(element: Element, rows: number, columns: number, level: Level): Microkernel {
  const name = `inner_${element}_${rows}x${columns}`;
  const { lanes } = level;
  const all = count(rows).flatMap((m) => count(columns).map((v) => [m, v] as const));
  const one = element === 'f32' ? '' : `from_${element}`;
  const lines = [
    `FIRN_INLINE void ${name}(const float* a, int64_t am, const ${pointee(element)}* b, int64_t bn, int n, float* c, int64_t cm, int64_t cn) {`,
    ...all.map(([m, v]) => `  vf s${m}_${v} = {};`),
    '  int k = 0;',
    `  for (; k + ${lanes} <= n; k += ${lanes}) {`,
    ...count(columns).map((v) => `    const vf b${v} = ${loader(element)}(b + ${v} * bn + k);`),
    ...count(rows).flatMap((m) => [`    const vf a${m} = load(a + ${m} * am + k);`, ...count(columns).map((v) => `    s${m}_${v} += a${m} * b${v};`)]),
    '  }',
    ...all.map(([m, v]) => `  float r${m}_${v} = sum(s${m}_${v});`),
    '  for (; k < n; ++k) {',
    ...all.map(([m, v]) => `    r${m}_${v} += a[${m} * am + k] * ${one}(b[${v} * bn + k]);`),
    '  }',
    ...all.map(([m, v]) => `  c[${m} * cm + ${v} * cn] += r${m}_${v};`),
    '}',
  ];
  return { name, text: lines.join('\n') };
}

/**
 * The JSON of a safetensors header, read strictly: one object of tensor entries. `JSON.parse` would accept a name twice
 * (the last one wins), fractions and numbers beyond 2^53 (rounded), each of which lets two readers see two files.
 * One pass, no recursion, memory proportional to the text.
 */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Half-open, in bytes from the end of the header. */
  readonly begin: number;
  readonly end: number;
}
export interface HeaderFields {
  readonly entries: readonly HeaderEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** `code` is one of CheckpointError's; `at` is a character offset in the header. */
export class HeaderError extends Error {
  constructor(readonly code: 'F06' | 'F07' | 'F09' | 'F10', message: string, readonly at: number, readonly tensor?: string) {
    super(message);
  }
}

/** Reads `text` (which starts with `{`). Throws HeaderError. */
export function readHeaderFields(text: string): HeaderFields {
  const cursor = new Cursor(text);
  const entries: HeaderEntry[] = [];
  const seen = new Set<string>();
  let metadata: Readonly<Record<string, string>> | undefined;
  cursor.object((name) => {
    if (name === '__metadata__') {
      if (metadata !== undefined) throw new HeaderError('F07', `'__metadata__' appears twice`, cursor.at);
      metadata = readMetadata(cursor);
      return;
    }
    if (seen.has(name)) throw new HeaderError('F07', 'the header names it twice', cursor.at, name);
    seen.add(name);
    entries.push(readEntry(cursor, name));
  });
  cursor.end();
  return { entries, metadata: metadata ?? {} };
}

function readMetadata(cursor: Cursor): Record<string, string> {
  // Without a prototype, so that a key such as '__proto__' is only a key.
  const out: Record<string, string> = Object.create(null) as Record<string, string>;
  cursor.object((key) => {
    if (key in out) throw new HeaderError('F07', `'__metadata__' has the key '${key}' twice`, cursor.at);
    out[key] = cursor.string();
  });
  return out;
}

function readEntry(cursor: Cursor, name: string): HeaderEntry {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  const once = (old: unknown, key: string): void => {
    if (old !== undefined) throw new HeaderError('F07', `its entry has the key '${key}' twice`, cursor.at, name);
  };
  cursor.object((key) => {
    switch (key) {
      case 'dtype': once(dtype, key); dtype = cursor.string(); return;
      case 'shape': once(shape, key); shape = cursor.integers(name); return;
      case 'data_offsets': once(offsets, key); offsets = cursor.integers(name); return;
      default: throw new HeaderError('F06', `its entry has the unknown key '${key.slice(0, 40)}'`, cursor.at, name);
    }
  });
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    throw new HeaderError('F06', `its entry lacks '${dtype === undefined ? 'dtype' : shape === undefined ? 'shape' : 'data_offsets'}'`, cursor.at, name);
  }
  if (offsets.length !== 2) throw new HeaderError('F10', `data_offsets has ${offsets.length} numbers instead of 2`, cursor.at, name);
  return { name, dtype, shape, begin: offsets[0], end: offsets[1] };
}

const quote = 0x22, backslash = 0x5c, zero = 0x30, nine = 0x39;

class Cursor {
  at = 0;
  constructor(private readonly text: string) {}

  /** `{ "key": value, ... }`; `member` reads the value. */
  object(member: (key: string) => void): void {
    this.expect('{');
    if (this.skip('}')) return;
    do {
      const key = this.string();
      this.expect(':');
      member(key);
    } while (this.skip(','));
    this.expect('}');
  }

  string(): string {
    this.space();
    const start = this.at;
    if (this.text.charCodeAt(start) !== quote) throw this.unexpected('a string');
    let i = start + 1;
    for (; i < this.text.length; i++) {
      const c = this.text.charCodeAt(i);
      if (c === quote) break;
      if (c === backslash) i++;
    }
    this.at = i + 1;
    try {
      return JSON.parse(this.text.slice(start, i + 1)) as string;
    } catch {
      this.at = start;
      throw this.unexpected('a complete string');
    }
  }

  /** `[1, 2, 3]`: integers in 0 .. 2^53 - 1. */
  integers(tensor: string): number[] {
    this.expect('[');
    const out: number[] = [];
    if (this.skip(']')) return out;
    do out.push(this.integer(tensor)); while (this.skip(','));
    this.expect(']');
    return out;
  }

  end(): void {
    this.space();
    if (this.at !== this.text.length) throw this.unexpected('nothing after the closing brace');
  }

  private integer(tensor: string): number {
    this.space();
    const start = this.at;
    while (this.text.charCodeAt(this.at) >= zero && this.text.charCodeAt(this.at) <= nine) this.at++;
    const digits = this.text.slice(start, this.at);
    if (digits === '' || (digits.length > 1 && digits[0] === '0')) throw this.unexpected('a whole number of 0 or more');
    const value = Number(digits);
    if (!Number.isSafeInteger(value)) throw new HeaderError('F09', `the number ${digits.slice(0, 24)} is larger than 2^53 - 1`, start, tensor);
    return value;
  }

  private expect(c: string): void {
    if (!this.skip(c)) throw this.unexpected(`'${c}'`);
  }

  private skip(c: string): boolean {
    this.space();
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }

  private space(): void {
    for (; ; this.at++) {
      const c = this.text.charCodeAt(this.at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
    }
  }

  private unexpected(wanted: string): HeaderError {
    const found = this.at >= this.text.length ? 'its end' : `'${this.text.slice(this.at, this.at + 12)}'`;
    return new HeaderError('F06', `the header is not valid JSON: at character ${this.at} it has ${found} where ${wanted} should be`, this.at);
  }
}

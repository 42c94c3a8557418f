/** Where the files of a checkpoint come from: a disk, a browser's file picker or a web server. */

/** One file, read by range; at most the bytes asked for stand in memory. */
export interface ByteSource {
  /** What messages call it. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Fills `into` with the bytes from `at` on, as many as there are; how many that were. */
  read(into: Uint8Array, at: number): Promise<number>;
  close(): Promise<void>;
}

export interface ByteFolder {
  readonly path: string;
  /** Opens a file by its plain name; undefined if there is none. */
  find(name: string): Promise<ByteSource | undefined>;
  /** Names of its files; undefined where a folder cannot be listed. */
  names(): Promise<readonly string[] | undefined>;
}

/** The whole of a small file as text. */
export async function readText(source: ByteSource): Promise<string> {
  const bytes = new Uint8Array(source.size);
  const count = await source.read(bytes, 0);
  return new TextDecoder().decode(bytes.subarray(0, count));
}

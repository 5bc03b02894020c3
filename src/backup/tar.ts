/**
 * One file of many, in the format that every `tar` reads: for each file a header of 512 bytes and
 * its bytes, filled up to a multiple of 512; two empty blocks at the end.
 *
 * Source: POSIX.1-1988, ustar.
 */
const BLOCK_BYTES = 512;
const NAME_MAX = 100;
const PREFIX_MAX = 155;
/** Eleven octal digits. */
export const TAR_FILE_MAX_BYTES = 8 ** 11 - 1;

/** @throws RangeError for a name or a size that does not fit. */
export function tarHeader(name: string, sizeBytes: number, modifiedMs: number): Buffer {
  const { prefix, rest } = split(name);
  if (sizeBytes > TAR_FILE_MAX_BYTES) throw new RangeError("The file is too large for a tar file.");
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(rest, 0);
  header.write(octal(0o600, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(sizeBytes, 11), 124);
  header.write(octal(Math.max(0, Math.floor(modifiedMs / 1000)), 11), 136);
  header.write(" ".repeat(8), 148);
  header.write("0", 156);
  header.write("ustar\x0000", 257);
  header.write(prefix, 345);
  header.write(`${octal(sumOf(header), 6)}\0 `, 148);
  return header;
}

/** What follows a file of this size, so that the next one begins with a block. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

export const tarEnd = Buffer.alloc(2 * BLOCK_BYTES);

export type TarEntry = { readonly name: string; readonly sizeBytes: number };

/** Reads exactly this many bytes; fewer only at the end of the file. */
type Read = (sizeBytes: number) => Promise<Buffer>;

/**
 * The next header; `null` at the end. The bytes of the file follow, and `tarPadding`.
 *
 * @throws RangeError where there is none.
 */
export async function readTarHeader(read: Read): Promise<TarEntry | null> {
  const header = await read(BLOCK_BYTES);
  if (header.length < BLOCK_BYTES) throw new RangeError("The tar file is cut off.");
  if (header.every((byte) => byte === 0)) return null;
  const told = Number.parseInt(textAt(header, 148, 8), 8);
  const sizeBytes = Number.parseInt(textAt(header, 124, 12), 8);
  const blank = Buffer.from(header);
  blank.write(" ".repeat(8), 148);
  if (told !== sumOf(blank) || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new RangeError("The tar file is damaged.");
  }
  const prefix = textAt(header, 345, PREFIX_MAX);
  const rest = textAt(header, 0, NAME_MAX);
  return { name: prefix === "" ? rest : `${prefix}/${rest}`, sizeBytes };
}

function split(name: string): { readonly prefix: string; readonly rest: string } {
  if (Buffer.byteLength(name) <= NAME_MAX) return { prefix: "", rest: name };
  for (let at = name.indexOf("/"); at > 0; at = name.indexOf("/", at + 1)) {
    const prefix = name.slice(0, at);
    const rest = name.slice(at + 1);
    if (Buffer.byteLength(prefix) <= PREFIX_MAX && Buffer.byteLength(rest) <= NAME_MAX) {
      return { prefix, rest };
    }
  }
  throw new RangeError("The name is too long for a tar file.");
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

function sumOf(header: Buffer): number {
  return header.reduce((sum, byte) => sum + byte, 0);
}

function textAt(header: Buffer, at: number, length: number): string {
  const bytes = header.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? length : end).trim();
}

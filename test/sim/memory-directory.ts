/** Where files are as quick as memory, if there is such a place. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";

export function memoryDirectory(): string {
  return existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
}

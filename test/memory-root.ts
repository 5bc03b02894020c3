/**
 * Where files are as quick as memory, if there is such a place: for tests that write and sync
 * very often, and need nothing of it to outlast them.
 */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";

export const memoryRoot = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

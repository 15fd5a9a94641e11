// Changes of a list, which concern the clients of all nodes: a node that makes one tells the others,
// which run in the same directory. A real server would use its database for that.

import { EventEmitter } from 'node:events';
import { mkdirSync, watch } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';

const DIRECTORY = join(process.cwd(), '.changes');

/** Emits `tools` or `prompts` when a node has changed that list. */
export const changes = new EventEmitter().setMaxListeners(0);

export const announce = (list) => appendFile(join(DIRECTORY, list), '.');

mkdirSync(DIRECTORY, { recursive: true });
watch(DIRECTORY, (_event, list) => changes.emit(list));

import { pointerToken } from '../workflows/domain/json-pointer.ts';

interface OpenContainer {
  /** Names seen so far; null in an array. */
  readonly names: Set<string> | null;
  /** The member or element that is being read. */
  at: string;
  index: number;
}

/** A string, or one of the marks that matter; numbers and words need no look. */
const token = /"(?:[^"\\]|\\.)*"|[[\]{},:]/g;

/**
 * Finds an object in valid JSON text that has two members of one name, which RFC 8259 leaves to each reader to
 * understand in its own way. Returns the JSON pointer (RFC 6901) of the second one, or null. Takes linear time.
 */
export function findDuplicateMember(json: string): string | null {
  const open: OpenContainer[] = [];
  let text = '';
  for (const [mark] of json.matchAll(token)) {
    const container = open.at(-1);
    if (mark === '{' || mark === '[') open.push({ names: mark === '{' ? new Set() : null, at: '0', index: 0 });
    else if (mark === '}' || mark === ']') open.pop();
    else if (mark === ',' && container?.names === null) container.at = String(++container.index);
    else if (mark === ':' && container?.names) {
      container.at = String(JSON.parse(text));
      if (container.names.has(container.at)) return pointerOf(open);
      container.names.add(container.at);
    } else text = mark;
  }
  return null;
}

function pointerOf(open: readonly OpenContainer[]): string {
  return open.map(({ at }) => `/${pointerToken(at)}`).join('');
}

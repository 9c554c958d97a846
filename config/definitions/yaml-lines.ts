/** Finds the line of a path in a definitions file, for the sentences about what is wrong there. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

/** The line, from 1, of the deepest part of a path that the file has. */
export type LineOf = (path: string) => number;

/**
 * @param text YAML that `readYaml` has accepted, so that it is safe to read again
 */
export function lineFinder(text: string): LineOf {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    stringKeys: true,
    uniqueKeys: false,
  });
  const lineAt = (offset: number) => lineCounter.linePos(offset).line;
  return (path) => {
    let node = document.contents as Node | null;
    let offset = node?.range?.[0] ?? 0;
    for (const step of stepsOf(path)) {
      if (isAlias(node)) node = node.resolve(document) ?? null;
      if (isSeq(node) && typeof step === 'number') {
        node = (node.items[step] ?? null) as Node | null;
        offset = node?.range?.[0] ?? offset;
      } else if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && key.value === String(step));
        if (pair === undefined) break;
        offset = (pair.key as Node).range?.[0] ?? offset;
        node = pair.value as Node | null;
      } else break;
    }
    return lineAt(offset);
  };
}

/** The keys and indices of a path as `joinPath` writes it. */
function stepsOf(path: string): (string | number)[] {
  const steps = path.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g);
  return [...steps].map(([, index, quoted, plain]) => {
    if (index !== undefined) return Number(index);
    return quoted === undefined ? plain! : String(JSON.parse(quoted));
  });
}

// A folder below an approved one: which of them, and the path in it.

export interface FolderChoice {
  /** An approved folder; empty when there is none. */
  root: string;
  /** Path below it; empty is the approved folder itself. */
  sub: string;
}

function separatorOf(root: string): string {
  return /^[A-Za-z]:\\|^\\\\/.test(root) ? '\\' : '/';
}

function trimmed(root: string): string {
  return root.length > 1 ? root.replace(/[/\\]+$/, '') : root;
}

/** The whole path. */
export function joined({ root, sub }: FolderChoice): string {
  const separator = separatorOf(root);
  const parts = sub.trim().split(/[/\\]+/).filter((part) => part !== '' && part !== '.');
  const base = trimmed(root);
  return parts.length === 0 ? base : (base === separator ? base : base + separator) + parts.join(separator);
}

/** A path in parts: the longest approved folder it lies below. */
export function chosen(path: string | null | undefined, roots: readonly string[]): FolderChoice {
  if (path == null || path === '') return { root: roots[0] ?? '', sub: '' };
  const fits = roots.filter((root) => {
    const base = trimmed(root);
    const separator = separatorOf(root);
    return path === base || path.startsWith(base.endsWith(separator) ? base : base + separator);
  });
  const root = fits.sort((a, b) => b.length - a.length)[0];
  // Below none by name: approved no more, or through a link. It stays what it is.
  if (root === undefined) return { root: path, sub: '' };
  return { root, sub: path.slice(trimmed(root).length).replace(/^[/\\]+/, '') };
}

/** Whether the path stays below the folder. */
export function staysBelow(sub: string): boolean {
  return !/^[A-Za-z]:/.test(sub.trim()) && !sub.split(/[/\\]+/).includes('..') && ![...sub].some((c) => c < ' ');
}

/** Approved folders to choose from, and the one that is chosen. */
export function rootOptions(roots: readonly string[], chosenRoot: string): { value: string; label: string }[] {
  const all = chosenRoot === '' || roots.includes(chosenRoot) ? roots : [chosenRoot, ...roots];
  return all.map((root) => ({ value: root, label: root }));
}

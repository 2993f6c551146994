const WARNING = 40;
const LEVELS: Readonly<Record<string, number>> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 };

/**
 * What the console shows of a line that one of our processes printed: warnings and errors in short, and whatever is
 * no log line (the report of a crash); null for the rest.
 */
export function summarizeLogLine(line: string): string | null {
  if (line.trim() === '') return null;
  const entry = parse(line);
  if (entry === null) return line;
  const { level } = entry;
  const severity = typeof level === 'number' ? level : (LEVELS[String(level)] ?? 0);
  if (severity < WARNING) return null;
  const name = Object.entries(LEVELS).findLast(([, value]) => value <= severity)?.[0] ?? 'warn';
  return `${name}: ${typeof entry['msg'] === 'string' ? entry['msg'] : line}`;
}

function parse(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

/** Icons as the strokes of a 24 by 24 square, by the names that notification types use. */

export type Icons = Record<string, string>;

export const ICONS: Icons = {
  bell: 'M6 17V11a6 6 0 0 1 12 0v6l2 1H4zM10 21h4',
  'alert-triangle': 'M12 4 2.5 20h19zM12 10v5M12 17.5v.5',
  'at-sign': 'M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0v1a2.5 2.5 0 0 0 5 0v-1a9 9 0 1 0-4 7.5',
  'check-circle': 'M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0M8 12.5l3 3 5-6',
  clock: 'M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0M12 7v5l3.5 2',
  'corner-up-left': 'M9 5 4 10l5 5M4 10h11a5 5 0 0 1 5 5v4',
  'credit-card': 'M3 6h18v12H3zM3 10.5h18',
  'file-text': 'M14 3H6v18h12V7zM14 3v4h4M9 12h6M9 16h6',
  'message-square': 'M4 5h16v11H9l-5 4z',
  'user-check': 'M13 8a4 4 0 1 1-8 0 4 4 0 0 1 8 0M2 20c0-4 3-6 7-6s7 2 7 6M16 11l2 2 4-4',
  'x-circle': 'M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0M9 9l6 6M15 9l-6 6',
  close: 'M6 6l12 12M18 6 6 18',
  read: 'M4 12.5l5 5L20 7',
  unread: 'M17 12a5 5 0 1 1-10 0 5 5 0 0 1 10 0',
  delete: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13',
};

const BY_SEVERITY: Record<string, string> = {
  success: 'check-circle',
  warning: 'alert-triangle',
  error: 'x-circle',
  critical: 'alert-triangle',
};

/** The strokes of a notification's icon; of one that is not known, what its severity says. */
export function strokes(icons: Icons, name: string | undefined, severity: string | undefined): string {
  const own = (key: string) => Object.hasOwn(icons, key) ? icons[key] : undefined;
  return (name && own(name)) || own(BY_SEVERITY[severity ?? ''] ?? 'bell') || ICONS.bell!;
}

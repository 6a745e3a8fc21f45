/** When something was, as its reader says it. */

const MINUTE = 60_000;

/** "5 minutes ago", "yesterday"; after a week the date. A clock that is slow shows nothing from the future. */
export function relative(at: Date, now: Date, locale: string): string {
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const minutes = Math.max(0, Math.floor((now.getTime() - at.getTime()) / MINUTE));
  if (minutes < 1) return format.format(0, 'second');
  if (minutes < 60) return format.format(-minutes, 'minute');
  const days = Math.round((midnight(now) - midnight(at)) / (24 * 60 * MINUTE));
  if (days === 0 || minutes < 6 * 60) return format.format(-Math.floor(minutes / 60), 'hour');
  if (days < 7) return format.format(-days, 'day');
  return at.toLocaleDateString(locale, { dateStyle: 'medium' });
}

/** The whole of it, in the reader's zone. */
export function absolute(at: Date, locale: string): string {
  return at.toLocaleString(locale, { dateStyle: 'full', timeStyle: 'short' });
}

function midnight(date: Date): number {
  return new Date(date).setHours(0, 0, 0, 0);
}

/** The reader's locale: of their own the one that fits the page's language, as words and times stand side by side. */
export function localeOf(page: string | undefined, own: readonly string[] = navigator.languages): string {
  const locale = own.find((tag) => !page || tag === page || tag.startsWith(`${page}-`)) ?? page ?? 'en';
  try {
    return new Intl.Locale(locale).toString();
  } catch {
    return 'en';
  }
}

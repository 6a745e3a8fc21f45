/** Server-Sent Events, parsed as they come. */

/** One event as it stood on the wire. */
export interface Frame {
  event: string;
  data: string;
  /** The last id named so far. */
  id: string | undefined;
}

/** What a parser tells. */
export interface Told {
  frame(frame: Frame): void;
  /** Milliseconds to wait before the next connection. */
  retry(ms: number): void;
}

/** Longer than any event can be: who sends more is no gateway. */
const LONGEST = 4_000_000;

/** Takes the stream's text, decoded and so without a byte order mark, in pieces, however it is cut. */
export function parser(told: Told): (text: string) => void {
  let rest = '';
  let event = '';
  let data: string[] = [];
  let id: string | undefined;

  const line = (text: string) => {
    if (text === '') {
      if (data.length > 0) told.frame({ event: event || 'message', data: data.join('\n'), id });
      event = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') event = value;
    else if (name === 'data') data.push(value);
    else if (name === 'id' && !value.includes('\0')) id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) told.retry(Number(value));
  };

  return (text) => {
    rest += text;
    // A CR at the end may be half of a CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    lines.forEach(line);
    if (rest.length > LONGEST) throw new Error('a line of the stream is too long');
  };
}

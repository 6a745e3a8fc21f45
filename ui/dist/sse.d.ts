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
/** Takes the stream's text, decoded and so without a byte order mark, in pieces, however it is cut. */
export declare function parser(told: Told): (text: string) => void;

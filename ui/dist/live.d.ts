/** One live stream, kept open: it connects again, later each time it fails, and goes on where it was. */
import { ApiError, type Api } from './api.js';
import type { InboxEvent } from './types.js';
/** How the stream is. `denied`: the token is not accepted, nor is another. */
export type Connection = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'denied';
/** Whom it tells. */
export interface LiveHost {
    /** The last event that is known. */
    position(): string | undefined;
    event(event: InboxEvent): void;
    connection(connection: Connection): void;
    denied(error: ApiError): void;
}
export declare class Live {
    #private;
    readonly api: Api;
    readonly host: LiveHost;
    constructor(api: Api, host: LiveHost);
    /** Ends a wait, as when somebody looks or the network is back; not one that the gateway asked for. */
    wake(): void;
    /** Ends the connection, which the network may have lost without a word, and tries another at once. */
    cut(): void;
    /** Until the signal says so, or the gateway will not have it. */
    run(signal: AbortSignal): Promise<void>;
}

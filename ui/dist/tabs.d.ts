/** One of a user's tabs holds the stream and tells the others: a browser opens six connections to a host, not ten. */
import type { Connection } from './live.js';
import type { InboxEvent } from './types.js';
/** Where the leading tab stands. */
export interface Standing {
    connection: Connection;
    unread: number | undefined;
    /** The last event it told. */
    position: string | undefined;
}
export interface TabsHost {
    /** This tab leads, until the signal says so. It may give up by itself. */
    lead(signal: AbortSignal): Promise<void>;
    event(event: InboxEvent): void;
    standing(standing: Standing): void;
    /** Another tab asks the leading one where it stands, and that it looks again. */
    asked(): void;
}
export declare class Tabs {
    #private;
    /** `name` is shared by all tabs of a user; without one this tab is alone. */
    constructor(name: string | undefined, host: TabsHost);
    get leading(): boolean;
    start(): void;
    stop(): void;
    tell(message: {
        event: InboxEvent;
    } | {
        standing: Standing;
    }): void;
    /** Asks the leading tab where it stands. One that does not answer leads no longer. */
    ask(): void;
    /** Leads as soon as it may, though it gave up a moment ago. */
    hurry(): void;
}

/** Icons as the strokes of a 24 by 24 square, by the names that notification types use. */
export type Icons = Record<string, string>;
export declare const ICONS: Icons;
/** The strokes of a notification's icon; of one that is not known, what its severity says. */
export declare function strokes(icons: Icons, name: string | undefined, severity: string | undefined): string;

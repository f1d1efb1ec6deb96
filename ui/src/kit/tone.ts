/** What a colour says. Never the only sign: words stand beside it. */
export type Tone = 'neutral' | 'ok' | 'warn' | 'bad' | 'accent';

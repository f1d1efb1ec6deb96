// Quantities as people read them.

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;

function short(value: number): string {
  return String(Number(value.toFixed(value < 10 ? 1 : 0)));
}

/** `1.5 GB`, decimal units as on the box of a disk. */
export function bytes(count: number): string {
  let value = Math.max(0, count);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${short(value)} ${UNITS[unit] ?? 'B'}`;
}

/** `640 kbit/s`, `4.2 Mbit/s`. */
export function bitrate(kbps: number): string {
  return kbps >= 999.5 ? `${(kbps / 1000).toFixed(1)} Mbit/s` : `${Math.round(kbps)} kbit/s`;
}

/** `15 fps`, `12.5 fps`. */
export function frameRate(rate: number): string {
  const rounded = Math.round(rate * 10) / 10;
  return `${Math.abs(rounded - Math.round(rounded)) < 0.15 ? Math.round(rounded) : rounded.toFixed(1)} fps`;
}

const CODECS: Readonly<Record<string, string>> = {
  h264: 'H.264',
  h265: 'H.265',
  mjpeg: 'MJPEG',
  aac: 'AAC',
  opus: 'Opus',
  pcmu: 'G.711 µ-law',
  pcma: 'G.711 A-law',
  g722: 'G.722',
  g726: 'G.726',
  l16: 'PCM',
  mp3: 'MP3',
};

/** The name people know a codec by. */
export function codecName(codec: string): string {
  return CODECS[codec.toLowerCase()] ?? codec.toUpperCase();
}

/** `1920 × 1080`. */
export function frameSize(width: number, height: number): string {
  return `${width} × ${height}`;
}

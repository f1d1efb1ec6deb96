// What playback remembers in this browser: the camera watched last, and how loud.

const CHANNEL = 'oriel.playback.channel';
const VOLUME = 'oriel.playback.volume';

export interface Volume {
  muted: boolean;
  /** 0 to 1. */
  volume: number;
}

type Storage = Pick<globalThis.Storage, 'getItem' | 'setItem'>;

export function keptChannel(storage: Storage = localStorage): string | null {
  try {
    return storage.getItem(CHANNEL);
  } catch {
    return null;
  }
}

export function keepChannel(channel: string, storage: Storage = localStorage): void {
  keep(storage, CHANNEL, channel);
}

/** Loud and not muted unless a person said otherwise. */
export function keptVolume(storage: Storage = localStorage): Volume {
  try {
    const value: unknown = JSON.parse(storage.getItem(VOLUME) ?? 'null');
    if (typeof value === 'object' && value !== null && 'muted' in value && 'volume' in value) {
      const { muted, volume } = value;
      if (typeof muted === 'boolean' && typeof volume === 'number' && volume >= 0 && volume <= 1) return { muted, volume };
    }
  } catch {
    // What cannot be read is as good as nothing kept.
  }
  return { muted: false, volume: 1 };
}

export function keepVolume(volume: Volume, storage: Storage = localStorage): void {
  keep(storage, VOLUME, JSON.stringify(volume));
}

function keep(storage: Storage, key: string, value: string): void {
  try {
    storage.setItem(key, value);
  } catch {
    // A browser that keeps nothing begins anew next time.
  }
}

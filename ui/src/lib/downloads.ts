// What becomes of files that the window of the desktop app saves. A browser tells by itself.

import { toast } from '../kit';
import { followDownloads, type DownloadReport } from '../shell';
import { texts } from './texts';

const t = texts.downloads;

/** Tells of one, in one notice from its start to its end. */
export function tellDownload({ number, state, name, folder }: DownloadReport): void {
  const id = `download-${number}`;
  if (state === 'started') toast.loading(t.saving(name), { id });
  else if (state === 'saved') toast.success(t.saved(folder, name), { id, duration: 8_000 });
  else toast.error(t.failed(folder, name), { id });
}

/** Tells of every one from now on. */
export function tellDownloads(): void {
  followDownloads(tellDownload);
}

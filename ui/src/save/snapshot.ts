// One press: a snapshot is taken, kept, and told with its picture.

import { asApiError, ApiError } from '../api/error';
import { toast } from '../kit';
import { download, fileName } from '../lib/download';
import { router } from '../lib/router.svelte';
import { errorText } from '../lib/texts';
import { clockTime, dayOf, ms } from '../lib/time';
import { mediaUrl } from '../shell';
import SnapshotToast from './SnapshotToast.svelte';
import { askSnapshot, sendSnapshot } from './take';
import { texts } from './texts';

export interface Wanted {
  channel: string;
  /** Name of the camera. */
  name: string;
  /** The moment the picture shows, milliseconds since 1970. */
  taken: number;
  /** What is shown; null when it cannot be read. */
  picture: Blob | null;
  /** Whether the recorder may take one of now instead: not when the moment is past. */
  orNow: boolean;
}

/** The name of its file. */
export function snapshotFile(camera: string, taken: number): string {
  return fileName(`${camera} ${dayOf(taken)} ${clockTime(taken)}`, 'jpg');
}

function tell(thrown: unknown): void {
  toast.error(errorText(asApiError(thrown)));
}

/** Takes it and tells how it went. Answers whether it was kept. */
export async function takeSnapshot({ channel, name, taken, picture, orNow }: Wanted): Promise<boolean> {
  try {
    if (picture === null && !orNow) throw new ApiError('precondition_failed', texts.snapshot.unreadable);
    const snapshot = picture === null ? await askSnapshot(channel) : await sendSnapshot(channel, taken, picture);
    const at = ms(snapshot.taken) ?? taken;
    const { url } = snapshot;
    const notice = toast.custom(SnapshotToast, {
      duration: 8_000,
      componentProps: {
        src: url == null ? null : mediaUrl(url),
        title: texts.snapshot.taken(name),
        alt: texts.snapshot.picture(name, clockTime(at)),
        time: clockTime(at),
        ondownload: () => {
          if (url != null) download(url, snapshotFile(name, at)).catch(tell);
        },
        onshow: () => {
          // It would lie over what it leads to.
          toast.dismiss(notice);
          router.go('/snapshots', { channel });
        },
      },
    });
    return true;
  } catch (thrown) {
    tell(thrown);
    return false;
  }
}

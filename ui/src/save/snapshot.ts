// One press: a snapshot is taken, kept, and told with its picture.

import { asApiError } from '../api/error';
import { toast } from '../kit';
import { download, fileName } from '../lib/download';
import { router } from '../lib/router.svelte';
import { errorText } from '../lib/texts';
import { clockTime, dayOf, ms } from '../lib/time';
import { mediaUrl } from '../shell';
import SnapshotToast from './SnapshotToast.svelte';
import { keepSnapshot, type Picture } from './take';
import { texts } from './texts';

export interface Wanted extends Picture {
  /** Name of the camera. */
  name: string;
}

/** The name of its file. */
export function snapshotFile(camera: string, taken: number): string {
  return fileName(`${camera} ${dayOf(taken)} ${clockTime(taken)}`, 'jpg');
}

function tell(thrown: unknown): void {
  toast.error(errorText(asApiError(thrown)));
}

/** Takes it and tells how it went. Answers whether it was kept. */
export async function takeSnapshot({ name, ...wanted }: Wanted): Promise<boolean> {
  const { channel } = wanted;
  try {
    const snapshot = await keepSnapshot(wanted);
    const at = ms(snapshot.taken) ?? wanted.taken;
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

// The picture a page shows, as a JPEG in its full size.

const QUALITY = 0.92;

/** The size a source really has, whatever it is shown at; null while it has no picture. */
export function sizeOf(source: HTMLVideoElement | HTMLCanvasElement): { width: number; height: number } | null {
  const [width, height] = source instanceof HTMLVideoElement ? [source.videoWidth, source.videoHeight] : [source.width, source.height];
  const empty = source instanceof HTMLVideoElement && source.readyState < HTMLMediaElement.HAVE_CURRENT_DATA;
  return width > 0 && height > 0 && !empty ? { width, height } : null;
}

/** The picture of a source; null when there is none or the browser does not let it be read. */
export async function pictureOf(source: HTMLVideoElement | HTMLCanvasElement): Promise<Blob | null> {
  const size = sizeOf(source);
  if (size === null) return null;
  const canvas = document.createElement('canvas');
  canvas.width = size.width;
  canvas.height = size.height;
  try {
    const context = canvas.getContext('2d', { alpha: false });
    if (context === null) return null;
    context.drawImage(source, 0, 0);
    return await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
  } catch {
    // Footage of a bucket that gives no leave to read it taints the canvas.
    return null;
  }
}

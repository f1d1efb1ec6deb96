import { describe, expect, it, vi } from 'vitest';
import { ApiError } from '../api/error';
import { download, downloadHref, fileName } from './download';

vi.mock('../shell', () => ({ mediaUrl: (path: string) => new URL(path, 'http://recorder:8642').href }));

describe('addresses to save from', () => {
  it('ask the recorder for an attachment of a name and keep their signature', () => {
    expect(downloadHref('/api/objects/clips/a/b.mp4?exp=1&sig=b-_', 'Vrt & ulaz.mp4')).toBe(
      'http://recorder:8642/api/objects/clips/a/b.mp4?exp=1&sig=b-_&download=Vrt+%26+ulaz.mp4',
    );
  });
  it('take whole addresses as well, and ask once', () => {
    expect(downloadHref('http://x/a/1.mp4?sig=b&download=1', 'a.mp4')).toBe('http://x/a/1.mp4?sig=b&download=a.mp4');
  });
});

describe('saving', () => {
  const url = '/api/objects/clips/a/b.mp4?sig=x';
  const href = 'http://recorder:8642/api/objects/clips/a/b.mp4?sig=x&download=Door.mp4';

  it('looks whether there is a file, without reading it, and then saves it', async () => {
    const fetch = vi.fn(() => Promise.resolve(new Response('m', { status: 206 })));
    const click = vi.fn();
    await download(url, 'Door.mp4', { fetch, click });
    expect(fetch).toHaveBeenCalledWith(href, expect.objectContaining({ headers: { Range: 'bytes=0-0' } }));
    expect(click).toHaveBeenCalledExactlyOnceWith(href, 'Door.mp4');
  });
  it('throws the sentence of a refusal and leaves the page alone', async () => {
    const click = vi.fn();
    const body = JSON.stringify({ error: { code: 'storage_unavailable', message: 'The disk is not there.' } });
    const refused = download(url, 'Door.mp4', { fetch: () => Promise.resolve(new Response(body, { status: 503 })), click });
    await expect(refused).rejects.toMatchObject({ code: 'storage_unavailable', message: 'The disk is not there.' });
    const lost = download(url, 'Door.mp4', { fetch: () => Promise.reject(new TypeError('lost')), click });
    await expect(lost).rejects.toBeInstanceOf(ApiError);
    expect(click).not.toHaveBeenCalled();
  });
});

describe('file names', () => {
  it.each([
    ['Front door 14:03', 'Front door 14-03.mp4'],
    ['a/b\\c', 'a-b-c.mp4'],
    ['what?*"<>|', 'what------.mp4'],
    ['dots...', 'dots.mp4'],
    ['', 'oriel.mp4'],
    ['Ulaz šćž', 'Ulaz šćž.mp4'],
  ])('%j is %j', (name, file) => expect(fileName(name, 'mp4')).toBe(file));
  it('are not longer than file systems take', () => {
    expect(fileName('x'.repeat(300), 'mp4').length).toBe(124);
  });
});

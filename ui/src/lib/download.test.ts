import { describe, expect, it, vi } from 'vitest';
import { downloadHref, fileName } from './download';

vi.mock('../shell', () => ({ mediaUrl: (path: string) => new URL(path, 'http://recorder:8642').href }));

describe('addresses to save from', () => {
  it("ask the recorder for an attachment and keep its signature", () => {
    expect(downloadHref('/api/objects/clips/a/b.mp4?exp=1&sig=x')).toBe('http://recorder:8642/api/objects/clips/a/b.mp4?exp=1&sig=x&download=1');
  });
  it('of a bucket stay as they were signed', () => {
    const signed = 'https://bucket.example/clips/a/b.mp4?X-Amz-Signature=x';
    expect(downloadHref(signed)).toBe(signed);
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

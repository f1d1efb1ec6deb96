import { describe, expect, it } from 'vitest';
import type { Clip, Export, ExportPart } from '../api/types';
import { absoluteLink, clipDoing, clipTimes, gapLine, gapSummary, isLoopback, isRecording, mayRetry, partWord } from './clip';
import { texts } from './texts';

const at = (time: string): string => `2026-11-21T${time}Z`;
const clip = (fields: Partial<Clip>): Clip => ({
  clip_id: 'a', channel_id: 'c', name: 'Parcel', time_start: at('13:00:00'), time_end: at('13:10:00'), status: 'in_progress', progress: 0.5,
  exact: false, with_audio: true, gaps: [], stored: false, created: at('13:05:00'), ...fields,
});

describe('a clip', () => {
  it('goes as long as its file once that is there', () => {
    expect(clipTimes(clip({})).start).toBe(Date.parse(at('13:00:00')));
    const made = clipTimes(clip({ media_start: at('12:59:58.500'), media_end: at('13:10:00') }));
    expect(made.end - made.start).toBe(601_500);
  });
  it('records while its end lies ahead, and is made after that', () => {
    expect(isRecording(clip({}), Date.parse(at('13:09:59')))).toBe(true);
    expect(isRecording(clip({}), Date.parse(at('13:10:01')))).toBe(false);
    expect(isRecording(clip({ status: 'partial' }), 0)).toBe(false);
    expect(clipDoing(clip({}), Date.parse(at('13:10:01')))).toBe(texts.clips.making);
    expect(clipDoing(clip({ reason: 'Waits for the bucket.' }), Date.parse(at('13:10:01')))).toBe('Waits for the bucket.');
  });
});

describe('gaps', () => {
  const gap = { start: at('13:01:00'), end: at('13:01:30'), reason: { code: 'ended' as const, message: 'x' } };
  it('say how long and why', () => {
    expect(gapLine(gap)).toMatch(/30 s · Camera closed the connection$/);
    expect(gapLine({ start: gap.start, end: gap.end })).toMatch(/Reason not known$/);
  });
  it('are summed up', () => {
    expect(gapSummary([])).toBe('');
    expect(gapSummary([gap, gap])).toBe('2 gaps, 1 min in all');
  });
});

describe('an export', () => {
  const job = (status: Export['status']): Export => ({
    export_id: 'e', status_url: '', status, progress: 0, start: at('13:00:00'), end: at('13:10:00'), format: 'mp4', with_audio: true,
    created: at('13:11:00'), parts: [],
  });
  const part = (fields: Partial<ExportPart>): ExportPart => ({
    camera_id: 'a', channel_id: 'c', name: 'Door', file: 'door.mp4', status: 'finished', progress: 1, gaps: [], ...fields,
  });
  it('may be tried again only when something is missing', () => {
    expect((['queued', 'running', 'finished', 'partial', 'failed', 'cancelled'] as const).filter((s) => mayRetry(job(s)))).toEqual(['partial', 'failed', 'cancelled']);
  });
  it('calls a file with holes by that name', () => {
    expect(partWord(part({ status: 'partial', gaps: [{ start: at('13:00:00'), end: at('13:01:00') }] }))).toBe(texts.exports.partial);
    expect(partWord(part({ status: 'partial' }))).toBe(texts.exports.status.partial);
  });
});

describe('links for other people', () => {
  it('are whole addresses, whoever serves the file', () => {
    expect(absoluteLink('/api/objects/x?sig=1', 'http://nvr.lan:8642')).toBe('http://nvr.lan:8642/api/objects/x?sig=1');
    expect(absoluteLink('https://bucket.example/x?s=1', 'http://nvr.lan:8642')).toBe('https://bucket.example/x?s=1');
  });
  it.each([
    ['http://127.0.0.1:8642/x', true],
    ['http://localhost:8642/x', true],
    ['http://[::1]/x', true],
    ['http://192.168.1.4:8642/x', false],
    ['https://127.0.0.1.example/x', false],
  ])('%s opens only here: %s', (url, only) => expect(isLoopback(url)).toBe(only));
});

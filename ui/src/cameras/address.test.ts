import { describe, expect, it } from 'vitest';
import { addressFault, splitAddress } from './address';

describe('splitAddress', () => {
  it.each([
    ['rtsp://user:pass@host/path', 'rtsp://host/path', 'user', 'pass'],
    ['  rtsp://user:pass@host:554/path?x=1#y ', 'rtsp://host:554/path?x=1#y', 'user', 'pass'],
    ['RTSP://u:p@10.0.0.5', 'rtsp://10.0.0.5', 'u', 'p'],
    ['rtsps://u:p@[fe80::1]:322/s', 'rtsps://[fe80::1]:322/s', 'u', 'p'],
    ['rtsp://user@host/', 'rtsp://host/', 'user', ''],
    ['rtsp://u:p@cam/x@y', 'rtsp://cam/x@y', 'u', 'p'],
    ['rtsp://admin:p%40ss%3Aw%2Frd%23%25@10.0.0.5:8554/a', 'rtsp://10.0.0.5:8554/a', 'admin', 'p@ss:w/rd#%'],
    ['rtsp://admin:p@ss:w/rd#%@192.168.1.20:554/s', 'rtsp://192.168.1.20:554/s', 'admin', 'p@ss:w/rd#%'],
    ['rtsp://admin:a?b@cam/s', 'rtsp://cam/s', 'admin', 'a?b'],
    ['rtsp://admin:50%@cam/s', 'rtsp://cam/s', 'admin', '50%'],
    ['rtsp://admin:@cam/s', 'rtsp://cam/s', 'admin', ''],
  ])('%s', (text, url, username, password) => {
    expect(splitAddress(text)).toEqual({ url, username, password });
  });
  it.each(['', 'nonsense', 'rtsp://', 'rtsp://host/path', 'rtsp://host:554/a@b', 'rtsp://[::1]:554/a', 'user:pass@host', 'rtsp://u:p@'])(
    'leaves %j alone',
    (text) => {
      expect(splitAddress(text)).toBeUndefined();
    },
  );
});

describe('addressFault', () => {
  it.each([
    ['', 'missing'],
    ['   ', 'missing'],
    ['192.168.1.20', 'scheme'],
    ['file:///etc/passwd', 'scheme'],
    ['rtsp://', 'host'],
    ['rtsp:///path', 'host'],
    ['rtsp://a b/path', 'host'],
    ['rtsp://host:/path', 'port'],
    ['rtsp://host:0/path', 'port'],
    ['rtsp://host:65536/path', 'port'],
    ['rtsp://host:abc/path', 'host'],
    ['rtsp://host:554/path', undefined],
    ['rtsps://[::1]/a', undefined],
    ['http://host/video.mjpg', undefined],
  ])('%j', (text, fault) => {
    expect(addressFault(text)).toBe(fault);
  });
});

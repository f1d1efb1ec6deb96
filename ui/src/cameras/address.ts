// Camera addresses as people paste them: with user and password inside, and passwords that nobody
// escaped.

/** An address and what stood inside it. */
export interface SplitAddress {
  url: string;
  username: string;
  password: string;
}

// What the recorder accepts; all but rtsp:// go through GStreamer.
const SCHEME = /^(rtsps?|rtmp|https?|srt):\/\//i;
// A host name, an IPv4 or a bracketed IPv6 address, perhaps a port, then the end or a path.
const PLACE = /^(\[[0-9a-f:.%]+\]|[^\s/?#@:[\]]+)(:\d{0,5})?(?=$|[/?#])/i;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign: nobody escaped this, it is meant as it stands.
    return text;
  }
}

function positions(text: string, of: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf(of); at >= 0; at = text.indexOf(of, at + 1)) found.push(at);
  return found;
}

/**
 * Takes user and password out of an address; undefined when there are none. A password may hold
 * `@ : / # %` unescaped: the credentials then end at the last `@` that a host can follow.
 */
export function splitAddress(text: string): SplitAddress | undefined {
  const trimmed = text.trim();
  const scheme = SCHEME.exec(trimmed)?.[0];
  if (scheme === undefined) return undefined;
  const rest = trimmed.slice(scheme.length);
  if (PLACE.test(rest)) return undefined;
  const ends = positions(rest, '@');
  const authority = rest.search(/[/?#]/);
  // Escaped as they should be, the credentials end inside the authority.
  const inside = ends.filter((at) => authority < 0 || at < authority).at(-1);
  const candidates = [...(inside === undefined ? [] : [inside]), ...ends.reverse()];
  const end = candidates.find((at) => PLACE.test(rest.slice(at + 1)));
  if (end === undefined) return undefined;
  const credentials = rest.slice(0, end);
  const colon = credentials.indexOf(':');
  return {
    url: scheme.toLowerCase() + rest.slice(end + 1),
    username: decoded(colon < 0 ? credentials : credentials.slice(0, colon)),
    password: colon < 0 ? '' : decoded(credentials.slice(colon + 1)),
  };
}

export type AddressFault = 'missing' | 'scheme' | 'host' | 'port';

/** What is wrong with an address; undefined when nothing is. */
export function addressFault(text: string): AddressFault | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return 'missing';
  const scheme = SCHEME.exec(trimmed)?.[0];
  if (scheme === undefined) return 'scheme';
  const place = PLACE.exec(trimmed.slice(scheme.length));
  if (place === null) return 'host';
  const port = place[2];
  if (port !== undefined && (port === ':' || Number(port.slice(1)) < 1 || Number(port.slice(1)) > 65535)) return 'port';
  return undefined;
}

// The page in a browser: everything comes from where the page came from.

import { HttpTransport } from '../api/http';
import type { Shell } from './index';

export function web(signedOut: () => void): Shell {
  const transport = new HttpTransport({ signedOut });
  return {
    desktop: false,
    transport,
    mediaBase: () => Promise.resolve(location.origin),
    session: () => transport.session(),
  };
}

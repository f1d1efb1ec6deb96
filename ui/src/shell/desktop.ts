// The page in the desktop window: operations go through the one command of the app, media comes
// from its loopback server.

import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { ApiError } from '../api/error';
import type { Transport } from '../api/call';
import type { SystemInfo } from '../api/types';
import type { DownloadReport, Shell } from './index';

const transport: Transport = {
  call(op, input, signal) {
    const answer = invoke<unknown>('rpc', { op, input });
    if (signal === undefined) return answer;
    return new Promise((resolve, reject) => {
      const cancel = () => reject(new ApiError('cancelled', 'Cancelled.'));
      if (signal.aborted) return cancel();
      signal.addEventListener('abort', cancel, { once: true });
      void answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', cancel));
    });
  },
};

export function desktop(): Shell {
  return {
    desktop: true,
    transport,
    mediaBase: async () => ((await transport.call('system_get', {})) as SystemInfo).media_base,
    session: () => Promise.resolve(true),
    downloads: (told) => void listen<DownloadReport>('download', ({ payload }) => told(payload)),
  };
}

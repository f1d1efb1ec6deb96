// Services people use. A preset only fills fields in; nothing else depends on it.

import type { StorageForm } from './form';

export interface Preset {
  id: string;
  name: string;
  fields: Pick<StorageForm, 'endpoint' | 'region' | 'addressing' | 'credentials'>;
}

/** What a person has to replace in an address. */
export const ACCOUNT = 'ACCOUNT-ID';

export const PRESETS: readonly Preset[] = [
  { id: 'aws', name: 'Amazon S3', fields: { endpoint: '', region: 'us-east-1', addressing: 'virtual_host', credentials: 'keys' } },
  { id: 'minio', name: 'MinIO', fields: { endpoint: 'http://127.0.0.1:9000', region: 'us-east-1', addressing: 'path', credentials: 'keys' } },
  { id: 'garage', name: 'Garage', fields: { endpoint: 'http://127.0.0.1:3900', region: 'garage', addressing: 'path', credentials: 'keys' } },
  { id: 'r2', name: 'Cloudflare R2', fields: { endpoint: `https://${ACCOUNT}.r2.cloudflarestorage.com`, region: 'auto', addressing: 'path', credentials: 'keys' } },
  { id: 'gcs', name: 'Google Cloud Storage (HMAC key)', fields: { endpoint: 'https://storage.googleapis.com', region: 'auto', addressing: 'path', credentials: 'keys' } },
];

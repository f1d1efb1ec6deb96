// Where each operation is over HTTP. A test compares it with openapi.json.

import type { operations } from './schema';

export type OperationName = keyof operations;
export type HttpMethod = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export const routes: Readonly<Record<OperationName, readonly [HttpMethod, string]>> = {
  health: ['GET', '/api/health'],
  camera_list: ['GET', '/api/cameras'],
  camera_create: ['POST', '/api/cameras'],
  camera_probe: ['POST', '/api/cameras/probe'],
  camera_get: ['GET', '/api/cameras/{id}'],
  camera_update: ['PATCH', '/api/cameras/{id}'],
  camera_delete: ['DELETE', '/api/cameras/{id}'],
  channel_list: ['GET', '/api/channels'],
  channel_create: ['POST', '/api/channels'],
  channel_get: ['GET', '/api/channels/{id}'],
  channel_update: ['PATCH', '/api/channels/{id}'],
  channel_delete: ['DELETE', '/api/channels/{id}'],
  stream_token: ['POST', '/api/channels/{id}/stream-token'],
  event_token: ['POST', '/api/events/stream-token'],
  segment_list: ['GET', '/api/recordings/segments'],
  channel_recordings: ['GET', '/api/channels/{id}/recordings'],
  timeline: ['GET', '/api/channels/{id}/timeline'],
  recording_days: ['GET', '/api/recordings/days'],
  event_list: ['GET', '/api/events'],
  demo_list: ['GET', '/api/demo'],
  demo_add: ['POST', '/api/demo'],
  system_get: ['GET', '/api/system'],
  settings_get: ['GET', '/api/settings'],
  settings_update: ['PATCH', '/api/settings'],
};

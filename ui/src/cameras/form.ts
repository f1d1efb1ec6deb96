// The form of a camera: what may be typed, and what of it is sent.

import type { Input } from '../api/call';
import type { Camera } from '../api/types';
import { texts } from '../lib/texts';
import { addressFault, type AddressFault } from './address';

export interface CameraForm {
  name: string;
  url: string;
  username: string;
  password: string;
  lowUrl: string;
  /** Answers with a picture. */
  snapshotUrl: string;
}

export type FormErrors = Partial<Record<keyof CameraForm, string>>;

/** Address of a camera's smaller stream. */
export function lowUrlOf(camera: Camera): string {
  return camera.profiles.find((profile) => profile.quality === 'low')?.url ?? '';
}

/** The form as it opens: empty, or with what is known of a camera. */
export function formOf(camera?: Camera): CameraForm {
  return {
    name: camera?.name ?? '',
    url: camera?.url ?? '',
    username: camera?.username ?? '',
    password: '',
    lowUrl: camera === undefined ? '' : lowUrlOf(camera),
    snapshotUrl: camera?.snapshot_url ?? '',
  };
}

const FAULTS: Readonly<Record<AddressFault, string>> = {
  missing: texts.cameras.urlMissing,
  scheme: texts.cameras.urlScheme,
  host: texts.cameras.urlHost,
  port: texts.cameras.urlPort,
};

function faultText(address: string): string | undefined {
  const fault = addressFault(address);
  return fault === undefined ? undefined : FAULTS[fault];
}

/** What has to be mended before the camera can be tested. */
export function probeErrors(form: CameraForm): FormErrors {
  const url = faultText(form.url);
  return url === undefined ? {} : { url };
}

/** What has to be mended before it can be saved. */
export function formErrors(form: CameraForm): FormErrors {
  const errors = probeErrors(form);
  const name = form.name.trim();
  if (name === '') errors.name = texts.cameras.nameMissing;
  else if ([...name].length > 80) errors.name = texts.cameras.nameLong;
  const low = form.lowUrl.trim() === '' ? undefined : faultText(form.lowUrl);
  if (low !== undefined) errors.lowUrl = low;
  const picture = form.snapshotUrl.trim();
  if (picture !== '' && (!/^https?:\/\//i.test(picture) || !URL.canParse(picture))) errors.snapshotUrl = texts.cameras.snapshotUrlWrong;
  return errors;
}

/** What is sent to add the camera. */
export function createInput(form: CameraForm): Input<'camera_create'> {
  const input: Input<'camera_create'> = { name: form.name.trim(), url: form.url.trim() };
  if (form.lowUrl.trim() !== '') input.low_url = form.lowUrl.trim();
  if (form.snapshotUrl.trim() !== '') input.snapshot_url = form.snapshotUrl.trim();
  if (form.username !== '') input.username = form.username;
  if (form.password !== '') input.password = form.password;
  return input;
}

/** What is sent to change the camera: only what differs. An empty password stays what it was. */
export function updateInput(camera: Camera, form: CameraForm): Input<'camera_update'> {
  const input: Input<'camera_update'> = { id: camera.id };
  if (form.name.trim() !== camera.name) input.name = form.name.trim();
  if (form.url.trim() !== camera.url) input.url = form.url.trim();
  if (form.lowUrl.trim() !== lowUrlOf(camera)) input.low_url = form.lowUrl.trim();
  if (form.snapshotUrl.trim() !== (camera.snapshot_url ?? '')) input.snapshot_url = form.snapshotUrl.trim();
  if (form.username !== (camera.username ?? '')) input.username = form.username;
  if (form.password !== '') input.password = form.password;
  return input;
}

/** What is sent to test it. A camera that exists may be tested with the password kept for it. */
export function probeInput(form: CameraForm, camera?: Camera): Input<'camera_probe'> {
  const input: Input<'camera_probe'> = { url: form.url.trim() };
  const kept = camera !== undefined && form.password === '' && form.username === (camera.username ?? '');
  if (kept) input.id = camera.id;
  else {
    if (form.username !== '') input.username = form.username;
    if (form.password !== '') input.password = form.password;
  }
  return input;
}

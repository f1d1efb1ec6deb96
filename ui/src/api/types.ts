// The nouns of the API under their own names. Generated; see schema.d.ts.

import type { components } from './schema';

type Nouns = components['schemas'];

export type AudioInfo = Nouns['AudioInfo'];
export type AudioMode = Nouns['AudioMode'];
export type Camera = Nouns['Camera'];
export type Change = Nouns['Change'];
export type Channel = Nouns['Channel'];
export type Clip = Nouns['Clip'];
export type ClipStatus = Nouns['ClipStatus'];
export type DemoCamera = Nouns['DemoCamera'];
export type Engine = Nouns['Engine'];
export type EngineInUse = Nouns['EngineInUse'];
export type ErrorCode = Nouns['ErrorCode'];
export type Event = Nouns['Event'];
export type EventKind = Nouns['EventKind'];
export type Export = Nouns['Export'];
export type ExportPart = Nouns['ExportPart'];
export type ExportStatus = Nouns['ExportStatus'];
export type Gap = Nouns['Gap'];
export type LiveMessage = Nouns['LiveMessage'];
export type ProbeReport = Nouns['ProbeReport'];
export type Protection = Nouns['Protection'];
export type Quality = Nouns['Quality'];
export type Reason = Nouns['Reason'];
export type ReasonCode = Nouns['ReasonCode'];
export type RecordMode = Nouns['RecordMode'];
export type Segment = Nouns['Segment'];
export type SegmentState = Nouns['SegmentState'];
export type Settings = Nouns['Settings'];
export type ShareLink = Nouns['ShareLink'];
export type Snapshot = Nouns['Snapshot'];
export type StreamProfile = Nouns['StreamProfile'];
export type StreamState = Nouns['StreamState'];
export type StreamToken = Nouns['StreamToken'];
export type Stretch = Nouns['Stretch'];
export type SystemInfo = Nouns['SystemInfo'];
export type Timeline = Nouns['Timeline'];
export type VideoInfo = Nouns['VideoInfo'];
export type Warning = Nouns['Warning'];
export type WarningCode = Nouns['WarningCode'];

import { describe, expect, it } from 'vitest';
import { INITIAL, SILENT_MS, STANDING_MS, backoff, brokenAt, step, type LiveEvent, type LiveState } from './machine';

function run(events: LiveEvent[], from: LiveState = INITIAL): { state: LiveState; commands: string[] } {
  let state = from;
  const commands: string[] = [];
  for (const event of events) {
    const next = step(state, event);
    state = next.state;
    commands.push(...next.commands);
  }
  return { state, commands };
}

describe('backoff', () => {
  it('grows from half a second to ten and never beyond', () => {
    expect([1, 2, 3, 4, 5, 6, 60].map((n) => backoff(n, 0.5))).toEqual([500, 1000, 2000, 4000, 8000, 10000, 10000]);
    expect(backoff(1, 0)).toBe(400);
    expect(backoff(9, 1)).toBe(10000);
  });
});

describe('step', () => {
  it('connects once and plays', () => {
    const { state, commands } = run([
      { type: 'play', now: 0 },
      { type: 'play', now: 1 },
      { type: 'heard', now: 40 },
      { type: 'picture', now: 50 },
    ]);
    expect(commands).toEqual(['connect']);
    expect(state).toMatchObject({ phase: 'playing', pictureAt: 50 });
  });

  it('reconnects with growing delays and forgets them once a connection lasts', () => {
    const lost = run([{ type: 'play', now: 0 }, { type: 'closed', code: 1006, now: 10 }]).state;
    expect(lost).toMatchObject({ phase: 'retrying', attempt: 1, retryAt: 510, trouble: 'closed' });
    expect(run([{ type: 'tick', transport: 'webcodecs', now: 400 }], lost).commands).toEqual([]);
    const again = run([{ type: 'tick', transport: 'webcodecs', now: 510 }], lost);
    expect(again.commands).toEqual(['connect']);
    const shortly = run([{ type: 'picture', now: 600 }, { type: 'closed', code: 1006, now: 700 }], again.state).state;
    expect(shortly).toMatchObject({ attempt: 2, retryAt: 1700 });
    const lasting = run([
      { type: 'tick', transport: 'webcodecs', now: 1700 },
      { type: 'picture', now: 12_000 },
      { type: 'closed', code: 1006, now: 12_001 },
    ], shortly).state;
    expect(lasting.attempt).toBe(1);
  });

  it('ends when the channel is gone', () => {
    for (const code of [4404, 4410]) {
      const gone = run([{ type: 'play', now: 0 }, { type: 'closed', code, now: 1 }]);
      expect(gone.state.phase).toBe('gone');
      expect(run([{ type: 'tick', transport: 'mse', now: 99_999 }], gone.state).commands).toEqual([]);
    }
  });

  it('takes silence for a lost connection, without blaming the transport', () => {
    const { state, commands } = run([
      { type: 'play', now: 0 },
      { type: 'picture', now: 100 },
      { type: 'tick', transport: 'webcodecs', now: 100 + SILENT_MS },
    ]);
    expect(state).toMatchObject({ phase: 'retrying', trouble: 'silent' });
    expect(commands).toEqual(['connect', 'disconnect']);
    expect(brokenAt(state, 5200).size).toBe(0);
  });

  it('blames the transport when bytes come and nothing is shown', () => {
    const { state } = run([
      { type: 'play', now: 0 },
      { type: 'heard', now: 4900 },
      { type: 'tick', transport: 'webcodecs', now: 5000 },
    ]);
    expect(state).toMatchObject({ phase: 'retrying', trouble: 'decoder' });
    expect([...brokenAt(state, 5001)]).toEqual(['webcodecs']);
  });

  it('leaves a broken transport alone for longer each time, then tries it again', () => {
    let { state } = run([{ type: 'play', now: 0 }, { type: 'failed', trouble: 'decoder', transport: 'webcodecs', now: 1 }]);
    expect(brokenAt(state, 30_000).has('webcodecs')).toBe(true);
    expect(brokenAt(state, 30_001).has('webcodecs')).toBe(false);
    state = run([
      { type: 'tick', transport: 'mse', now: 40_000 },
      { type: 'failed', trouble: 'decoder', transport: 'webcodecs', now: 40_001 },
    ], state).state;
    expect(brokenAt(state, 100_000).has('webcodecs')).toBe(true);
    expect(brokenAt(state, 100_001).has('webcodecs')).toBe(false);
  });

  it('waits without a watchdog while the camera stands', () => {
    const { state, commands } = run([
      { type: 'play', now: 0 },
      { type: 'standing', now: 10 },
      { type: 'tick', transport: 'webcodecs', now: 60_000 },
    ]);
    expect(state.phase).toBe('standing');
    expect(commands).toEqual(['connect']);
    const back = run([{ type: 'started', now: 70_000 }, { type: 'tick', transport: 'webcodecs', now: 75_000 }], state);
    expect(back.state).toMatchObject({ phase: 'retrying', trouble: 'silent' });
  });

  it('takes a standing socket that says nothing any more for dead, as after sleep', () => {
    const standing = run([{ type: 'play', now: 0 }, { type: 'standing', now: 10 }]).state;
    const repeated = run([{ type: 'standing', now: 20_000 }, { type: 'tick', transport: 'webcodecs', now: 10 + STANDING_MS }], standing);
    expect(repeated.state.phase).toBe('standing');
    const dead = run([{ type: 'tick', transport: 'webcodecs', now: 10 + STANDING_MS }], standing);
    expect(dead.state).toMatchObject({ phase: 'retrying', trouble: 'silent' });
    expect(dead.commands).toEqual(['disconnect']);
    expect(brokenAt(dead.state, 10 + STANDING_MS).size).toBe(0);
  });

  it('tells how old a picture is when that is known', () => {
    const playing = (at: number): number | null => run([{ type: 'play', now: 0 }, { type: 'picture', now: 50_000, at }]).state.pictureAt;
    expect([playing(20_000), playing(70_000)]).toEqual([20_000, 50_000]);
  });

  it('changes plan at once, and only while wanted', () => {
    expect(run([{ type: 'replan', now: 0 }]).commands).toEqual([]);
    expect(run([{ type: 'play', now: 0 }, { type: 'replan', now: 1 }]).commands).toEqual(['connect', 'disconnect', 'connect']);
  });

  it('stops and starts', () => {
    const { state, commands } = run([
      { type: 'play', now: 0 }, { type: 'stop' }, { type: 'closed', code: 1000, now: 5 }, { type: 'play', now: 9 },
    ]);
    expect(commands).toEqual(['connect', 'disconnect', 'connect']);
    expect(state.phase).toBe('connecting');
  });

  it('counts a failure once although the socket closes after it', () => {
    const { state } = run([
      { type: 'play', now: 0 },
      { type: 'failed', trouble: 'refused', transport: 'mse', now: 5 },
      { type: 'closed', code: 1006, now: 6 },
    ]);
    expect(state.attempt).toBe(1);
    expect(brokenAt(state, 6).size).toBe(0);
  });
});

// Forms that are open while what they were filled from changes. Pure.

/** A form once what it was filled from has changed: fields somebody changed here stay, all others follow. */
export function rebased<F extends object>(form: F, before: F, now: F): F {
  const out = { ...form };
  for (const field of Object.keys(now) as (keyof F)[]) {
    if (form[field] === before[field]) out[field] = now[field];
  }
  return out;
}

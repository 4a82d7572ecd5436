const LOOK_EVERY_MS = 10;

/** Far beyond what any condition takes; only so that a test says what it waited for in vain. */
const GIVE_UP_MS = 120_000;

/** Waits until a condition holds, and gives back what it is met with. */
export async function until<Value>(
  what: string,
  condition: () => Value | Promise<Value>,
): Promise<NonNullable<Value>> {
  const end = Date.now() + GIVE_UP_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

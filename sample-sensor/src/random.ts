import { createHash } from "node:crypto";

/** A stream of random numbers; the same seed gives the same stream on every machine. */
export interface Random {
  /** Evenly distributed in [0, 1). */
  uniform(): number;
  /** Normally distributed with mean 0 and deviation 1. */
  normal(): number;
}

/**
 * sfc32 (Chris Doty-Humphrey, https://pracrand.sourceforge.net/RNG_engines.txt), seeded with the SHA-256 of
 * a text, so that streams with neighbouring seeds have nothing in common.
 */
export function createRandom(seed: string): Random {
  const digest = createHash("sha256").update(seed).digest();
  let a = digest.readInt32LE(0);
  let b = digest.readInt32LE(4);
  let c = digest.readInt32LE(8);
  let counter = 1;
  let spare: number | null = null;

  function uniform(): number {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  /** Marsaglia's polar method, which gives two numbers at a time. */
  function normal(): number {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    let x: number;
    let y: number;
    let square: number;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const scale = Math.sqrt((-2 * Math.log(square)) / square);
    spare = y * scale;
    return x * scale;
  }

  for (let round = 0; round < 12; round++) uniform();
  return { uniform, normal };
}

/** One of the items, each as likely as the others. */
export function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random.uniform() * items.length)] as T;
}

/** One of the items, each as likely as its weight says; weights are not negative and not all 0. */
export function pickWeighted<T>(random: Random, items: readonly T[], weight: (item: T) => number): T {
  const candidates = items.filter((item) => weight(item) > 0);
  let rest = random.uniform() * candidates.reduce((sum, item) => sum + weight(item), 0);
  for (const item of candidates) {
    rest -= weight(item);
    if (rest < 0) return item;
  }
  return candidates.at(-1) as T;
}

/** Evenly distributed in [least, most). */
export function between(random: Random, least: number, most: number): number {
  return least + random.uniform() * (most - least);
}

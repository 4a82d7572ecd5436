/** How many cases fast-check tries: five times as many where everything runs at its full length. */
export function fuzzRuns(count: number): { readonly numRuns: number } {
  return { numRuns: process.env.FAULTS === "full" ? 5 * count : count };
}

/** How many random cases fast-check tries; `npm run test:faults` tries five times as many. */
export function fuzzRuns(count: number): { readonly numRuns: number } {
  return { numRuns: process.env.FAULTS === "full" ? 5 * count : count };
}

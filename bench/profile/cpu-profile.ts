import { readFileSync } from "node:fs";
import { type Frame, type Stage, stageOf } from "./stages.ts";

/** The parts that matter here of what `--cpu-prof` writes: the protocol's Profiler.Profile. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: Frame;
    readonly children?: readonly number[];
  }[];
  /** Node ids. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** Adds up the samples of one thread: milliseconds by stage. */
export function millisecondsByStage(path: string): Map<Stage, number> {
  const profile = JSON.parse(readFileSync(path, "utf8")) as CpuProfile;
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  );
  const stages = new Map<number, Stage>();

  const stageOfNode = (id: number): Stage => {
    const known = stages.get(id);
    if (known) return known;
    const stack: Frame[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const frame = nodes.get(at)?.callFrame;
      if (frame) stack.push(frame);
    }
    const stage = stageOf(stack);
    stages.set(id, stage);
    return stage;
  };

  const total = new Map<Stage, number>();
  for (const [index, id] of profile.samples.entries()) {
    const stage = stageOfNode(id);
    total.set(stage, (total.get(stage) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1000);
  }
  return total;
}

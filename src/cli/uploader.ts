#!/usr/bin/env node
import { lowerPriority } from "./low-priority.ts";

// Before the program is loaded, which takes some 0.2 s of CPU time at each start.
lowerPriority();
await import("./uploader-program.ts");

import { lowerPriority } from "./low-priority.ts";

// Before the program is loaded, which takes some 0.2 s of CPU time at each start.
lowerPriority();
void import("./uploader-program.ts");

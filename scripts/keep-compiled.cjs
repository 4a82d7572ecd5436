// Preloaded by build-compiled.js: at its end a program, and each of its threads, keeps beside its bundle what V8 has
// compiled of it by then.
const { renameSync, writeFileSync } = require("node:fs");
const vm = require("node:vm");
const { compiledPath, packCompiled } = require("../dist/src/run-bundle.js");

vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    process.on("exit", () => {
      const path = compiledPath(options.filename);
      writeFileSync(`${path}.${process.pid}`, packCompiled(this.createCachedData()), { flush: true });
      renameSync(`${path}.${process.pid}`, path);
    });
  }
};

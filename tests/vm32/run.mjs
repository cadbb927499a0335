// Runs scripts, one after the other, in the 32-bit MicroPython VM. Reads a job from stdin: {"scripts": [str], "files": {path: base64}, "heapsize": bytes}.
// Prints what the script prints; exit 1 with the traceback on stderr when it raises. The caller owns the time limit.
import { readFileSync, writeSync } from "node:fs";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";

const job = JSON.parse(readFileSync(0, "utf8"));
const vm = await loadMicroPython({
  heapsize: job.heapsize,
  linebuffer: false,
  stdout: (bytes) => writeSync(1, bytes),
  stderr: (bytes) => writeSync(2, bytes),
});
const made = new Set(["/flash"]);
vm.FS.mkdir("/flash");
for (const [path, content] of Object.entries(job.files)) {
  const parts = path.split("/");
  let folder = "/flash";
  for (const part of parts.slice(0, -1)) {
    folder += "/" + part;
    if (!made.has(folder)) vm.FS.mkdir(folder);
    made.add(folder);
  }
  vm.FS.writeFile("/flash/" + path, Buffer.from(content, "base64"));
}
vm.FS.chdir("/flash");
try {
  vm.runPython("import sys\nsys.path.insert(0, '/flash')\ndel sys\n");
  for (const script of job.scripts) vm.runPython(script);
} catch (error) {
  writeSync(2, String(error.message ?? error) + "\n");
  process.exitCode = 1;
}

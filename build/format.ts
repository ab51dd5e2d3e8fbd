/** `npm run format`: applies Biome's format and safe fixes to the whole tree. */
import process from 'node:process';
import { formatAssembly } from './format-assembly.ts';
import { runTool } from './tool.ts';

const { failed, text } = await runTool('biome', ['check', '--write', '--colors=off', '.']);
console.log(text.trimEnd());
for (const path of await formatAssembly({ write: true })) console.log(`formatted ${path}`);
if (failed) process.exitCode = 1;

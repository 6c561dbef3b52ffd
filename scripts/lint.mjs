// `npm run lint`: format and lint of both languages. Every check runs, so that all complaints are seen at once.
import { execFileSync, spawnSync } from 'node:child_process'

const host = execFileSync('rustc', ['--print', 'host-tuple'], { encoding: 'utf8' }).trim()
// Target and profile of the builds: build scripts and macros are shared with them.
const clippy = ['clippy', '--workspace', '--all-targets', '--release', '--target', host, '--quiet']
const checks = [
  ['prettier', '--check', '--log-level=warn', '.'],
  ['eslint', '--max-warnings=0', '.'],
  // What is published: its manifest, its declarations, and the links of its comments.
  ['publint'],
  ['attw', '--pack', '--profile', 'esm-only', '--quiet'],
  ['typedoc', '--emit', 'none'],
  ['cargo', 'fmt', '--all', '--check'],
  ['cargo', ...clippy, '--', '--deny=warnings'],
]

let failed = 0
for (const [command = '', ...args] of checks) {
  const began = performance.now()
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' })
  const name = command === 'cargo' ? `cargo ${args[0]}` : command
  console.log(`${name}: ${status === 0 ? 'clean' : 'failed'}, ${((performance.now() - began) / 1000).toFixed(1)} s`)
  if (status !== 0) failed++
}
process.exitCode = failed > 0 ? 1 : 0

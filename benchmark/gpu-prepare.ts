/** `npm run gpu-check -- --prepare FILE`: what it needs on a machine that has the sources, a GPU, tar and xz, and nothing else. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** Folders of node_modules that the check and what it starts import. */
const modules = ['@oxc-node', 'commander', 'cli-progress', 'detect-libc', '@dicebear', 'string-width', 'strip-ansi']
const more = ['ansi-regex', 'emoji-regex', 'is-fullwidth-code-point']

/** Runs the check in the folder of the sources: what was packed is put into its places first. */
const start = `#!/bin/sh
set -e
cd "$(dirname "$0")"
exec ./gpu/node --import @oxc-node/core/register benchmark/gpu-check.ts --tests gpu "$@"
`

/**
 * @param file the archive, to be unpacked in the folder of the sources, where it leaves \`gpu-check.sh\`
 * @param tests paths of the Rust tests' programs
 */
export function prepare(file: string, tests: ReadonlyMap<string, string>): void {
  const folder = mkdtempSync(join(tmpdir(), 'stylegan-gpu-'))
  mkdirSync(join(folder, 'gpu'))
  mkdirSync(join(folder, 'native'))
  const strip = (path: string) => execFileSync('strip', [path])
  for (const [name, path] of [...tests, ['node', process.execPath] as const]) {
    copyFileSync(path, join(folder, 'gpu', name))
    strip(join(folder, 'gpu', name))
  }
  for (const name of readdirSync('native').filter((name) => name.endsWith('.node'))) {
    copyFileSync(join('native', name), join(folder, 'native', name))
  }
  for (const name of [...modules, ...more]) {
    cpSync(join('node_modules', name), join(folder, 'node_modules', name), { recursive: true })
  }
  writeFileSync(join(folder, 'gpu-check.sh'), start)
  chmodSync(join(folder, 'gpu-check.sh'), 0o755)
  execFileSync('tar', ['-cJf', resolve(file), '-C', folder, ...readdirSync(folder)])
  rmSync(folder, { recursive: true })
  console.log(
    `${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB; unpack it in a copy of the sources, then run ./gpu-check.sh`,
  )
}

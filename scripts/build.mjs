// Installs and builds what has changed since the last time, and nothing else: `npm start` and `npm test` begin here.
import { spawnSync } from 'node:child_process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { hashInputs, isFresh, writeStamp } from './stamp.mjs'

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string[]} inputs files and folders that its outputs are made of
 * @property {string[]} outputs files and folders that it makes
 * @property {string} stamp lies in a folder that it makes, so that both are deleted together
 * @property {string[]} command
 */

/** In the order of their needs. @type {Step[]} */
export const steps = [
  {
    name: 'install',
    inputs: ['package.json', 'package-lock.json', '.npmrc'],
    outputs: ['node_modules/.package-lock.json'],
    stamp: 'node_modules/.stamp',
    command: ['npm', 'ci', '--loglevel=error'],
  },
  {
    name: 'build addon',
    inputs: ['crates', 'Cargo.toml', 'Cargo.lock', 'package.json'],
    outputs: ['native'],
    stamp: 'native/.stamp',
    command: ['node', 'scripts/addon.mjs'],
  },
  {
    name: 'build TypeScript',
    inputs: ['ts', 'tsconfig.json', 'package.json', 'native/binding.d.cts', 'node_modules/.package-lock.json'],
    outputs: ['dist'],
    stamp: 'dist/.stamp',
    command: ['npm', 'run', '--silent', 'build:ts'],
  },
]

/** Brings every step up to date. Throws where one fails. */
export function build() {
  for (const step of steps) {
    if (isFresh(step)) continue
    console.log(`== ${step.name}`)
    const began = performance.now()
    const inputs = hashInputs(step)
    const [command = '', ...args] = step.command
    const { status, error } = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' })
    if (status !== 0) {
      throw new Error(
        `${step.name}: '${step.command.join(' ')}' ${error?.message ?? `ended with ${status}, see above`}`,
      )
    }
    writeStamp(step, inputs)
    console.log(`== ${step.name}: ${((performance.now() - began) / 1000).toFixed(1)} s`)
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)))
  try {
    build()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}

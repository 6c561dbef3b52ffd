// Whether a build step's outputs are those of its inputs: a stamp holds the hash of both.
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** @typedef {{ inputs: string[], outputs: string[], stamp: string }} Stamped paths from `root` */

/** The hash of what lies at `path`, names included; a missing file is a content like any other. */
function hashPath(/** @type {string} */ root, /** @type {string} */ path, /** @type {string} */ stamp) {
  const hash = createHash('sha256')
  const add = (/** @type {string} */ name) => {
    const full = join(root, name)
    const kind = lstatSync(full, { throwIfNoEntry: false })
    if (name === stamp) return
    if (kind?.isDirectory()) {
      for (const child of readdirSync(full).sort()) add(join(name, child))
    } else {
      const bytes = kind ? readFileSync(full) : undefined
      hash.update(`${name}\0${bytes?.length ?? 'missing'}\0`).update(bytes ?? '')
    }
  }
  add(path)
  return hash.digest('hex')
}

/** One line a path, so that a stamp tells what has changed. */
function lines(/** @type {string[]} */ paths, /** @type {string} */ stamp, /** @type {string} */ root) {
  return paths.map((path) => `${hashPath(root, path, stamp)} ${path}`).join('\n')
}

/** Inputs before a step runs; {@link writeStamp} keeps them with what the step has made. */
export const hashInputs = (/** @type {Stamped} */ step, root = '.') =>
  // What was built for another machine is not for this one.
  [`${process.platform} ${process.arch}`, lines(step.inputs, step.stamp, root)].join('\n')

export function isFresh(/** @type {Stamped} */ step, root = '.') {
  const stamp = join(root, step.stamp)
  if (!lstatSync(stamp, { throwIfNoEntry: false })) return false
  return readFileSync(stamp, 'utf8') === `${hashInputs(step, root)}\n${lines(step.outputs, step.stamp, root)}\n`
}

/** @param {Stamped} step @param {string} inputs as they were when the step began: what changed since is built next time */
export function writeStamp(step, inputs, root = '.') {
  writeFileSync(join(root, step.stamp), `${inputs}\n${lines(step.outputs, step.stamp, root)}\n`)
}

/**
 * `npm run soak`: damages, interrupts and crowds everything for as long as it may. Prints a line for each part in TAP's form, with
 * counts of what happened; a case that fails is printed with the command that repeats it alone.
 *
 *     npm run soak -- --seconds 3600 --seed 7          every part for the same time
 *     npm run soak -- --only loaders/ --seconds 600    the parts whose names begin so
 *     npm run soak -- --seed 7 --only loaders/images:17
 *     npm run soak -- --short                          a fixed number of cases of each part, as `npm test` runs it
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Undisturbed } from './commands.ts'
import { damageParts } from './damage.ts'
import { interruptParts } from './interrupts.ts'
import { lastingParts } from './lasting.ts'
import { pairParts } from './pairs.ts'
import { placeParts } from './places.ts'
import { makeSources } from './sources.ts'
import type { Outcome, Part } from './trial.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    only: { type: 'string', default: '' },
    short: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const [only, one] = values.only.split(':')
/** Failures of one part that are printed. */
const mostShown = 10

const work = await mkdtemp(join(tmpdir(), 'stylegan-soak-'))
console.log(`# seed ${seed}`)
const sources = await makeSources(join(work, 'sources'))
const undisturbed = new Undisturbed(join(work, 'undisturbed'))
const all: Part[] = [
  ...damageParts(sources),
  ...interruptParts(sources, undisturbed),
  ...placeParts(sources, undisturbed),
  ...pairParts(sources, undisturbed),
  ...lastingParts(sources, values.short),
]
const parts = all.filter(({ name, short }) => {
  if (one !== undefined) return name === only
  return name.startsWith(only!) && (!values.short || short > 0)
})
if (parts.length === 0) throw new RangeError(`--only: one of ${all.map(({ name }) => name).join(', ')} is expected`)
let failed = 0
for (const [number, part] of parts.entries()) {
  const counts: Record<string, number> = {}
  const failures: Outcome[] = []
  const began = performance.now()
  const share = (Number(values.seconds) * 1000) / parts.length
  for (let first = one === undefined ? 0 : Number(one); ; first += part.batch) {
    const left = values.short ? part.short - first : performance.now() - began < share ? Infinity : 0
    if (one === undefined ? left <= 0 : first !== Number(one)) break
    const dir = join(work, 'trial')
    await mkdir(dir)
    const count = one === undefined ? Math.min(part.batch, left) : 1
    for await (const outcome of part.run({ seed, first, count, dir })) {
      counts[outcome.what] = (counts[outcome.what] ?? 0) + 1
      if (outcome.fault !== undefined) failures.push(outcome)
      if (outcome.fault !== undefined && failures.length <= mostShown) show(part, outcome)
    }
    await rm(dir, { recursive: true, force: true })
  }
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const list = Object.entries(counts).map(([what, count]) => `${count} ${what}`)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  const faults = failures.length > 0 ? `, ${failures.length} FAILED` : ''
  const ok = failures.length > 0 || total === 0 ? 'not ok' : 'ok'
  console.log(`${ok} ${number + 1} soak ${part.name}: ${total} cases in ${seconds} s, ${list.join(', ')}${faults}`)
  if (ok !== 'ok') failed++
}
console.log(`1..${parts.length}`)
await rm(work, { recursive: true, force: true })
process.exitCode = failed > 0 ? 1 : 0

function show(part: Part, { index, fault }: Outcome): void {
  console.log(`# npm run soak -- --seed ${seed} --only '${part.name}:${index}'`)
  console.log((fault ?? '').replaceAll(/^/gm, '#   '))
}

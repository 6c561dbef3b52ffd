/** Damages files and reads them in a process of its own: prints a line for each case, so that its end tells which case it was. */
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { readFileSync, writeFileSync, writeSync } from 'node:fs'
import { basename, join } from 'node:path'
import { loaders, type Loader } from './loaders.ts'
import { mutate } from './mutate.ts'
import { Sources } from './sources.ts'
import { randomOf, sentenceFault, type Outcome, type Random } from './trial.ts'

const [name, seed, first, count, dir, sourcesDir] = process.argv.slice(2)
const loader = loaders[name!]!
const sources = new Sources(sourcesDir!)
const paths = (await loader.sources(sources)).sort()

for (let index = Number(first); index < Number(first) + Number(count); index++) {
  const random = randomOf(Number(seed), `loaders/${name}`, index)
  const folder = join(dir!, 'case')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  const { copy, damaged, size } = await damage(random, folder)
  const outcome = await tried(loader, copy, folder, size)
  const fault = outcome.fault && `${damaged}: ${outcome.fault}`
  writeSync(1, `${JSON.stringify({ ...outcome, index, fault } satisfies Outcome)}\n`)
}

/** A copy of a source in which one file is damaged. */
async function damage(random: Random, folder: string) {
  const source = random.pick(paths)
  const copy = join(folder, basename(source))
  await cp(source, copy, { recursive: true, preserveTimestamps: true })
  const files = (await stat(source)).isDirectory()
    ? (await readdir(copy, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile() && (loader.damaged?.test(entry.name) ?? true))
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    : [copy]
  const damaged = random.pick(files)
  const other = await readFile(random.pick((await stat(source)).isDirectory() ? files : paths))
  const bytes = mutate(await readFile(damaged), random, other)
  await writeFile(damaged, bytes)
  return { copy, damaged, size: bytes.length }
}

/** Of kinds of errors that only a mistake in the code throws where a file is read. */
async function tried({ load }: Loader, copy: string, folder: string, size: number): Promise<Omit<Outcome, 'index'>> {
  const before = memory('VmRSS')
  forgetPeak()
  let outcome: Omit<Outcome, 'index'>
  try {
    await load(copy, folder, sources)
    outcome = { what: 'loaded' }
  } catch (error) {
    const message = error instanceof Error ? error.message : `no Error: ${String(error)}`
    const fault = sentenceFault(message, folder)
    outcome = { what: 'refused', fault: fault && `${fault}\n${error instanceof Error ? error.stack : ''}` }
  }
  if ('polluted' in {}) outcome = { ...outcome, fault: 'prototypes are polluted' }
  const [taken, most] = [memory('VmHWM') - before, 256 * 2 ** 20 + 4 * size]
  if (taken > most) outcome = { ...outcome, fault: `it took ${taken} bytes for a file of ${size}` }
  return outcome
}

/** Bytes of memory that Linux tells of this process; 0 elsewhere. */
function memory(what: 'VmRSS' | 'VmHWM'): number {
  if (process.platform !== 'linux') return 0
  const status = readFileSync('/proc/self/status', 'utf8')
  return 1024 * Number(new RegExp(`^${what}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0)
}

function forgetPeak(): void {
  // proc(5): 5 sets the peak of the resident memory to what it is now.
  if (process.platform === 'linux') writeFileSync('/proc/self/clear_refs', '5')
}

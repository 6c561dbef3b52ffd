/** Preparing JPEG files against Pillow: both sides in turn, seconds and processor seconds of each. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { prepareDataset } from '../ts/data/dataset.ts'

const run = promisify(execFile)
const [folder, python = 'python3', rounds = '3'] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: datasets.ts <folder of JPEG files> [python with Pillow] [rounds]')
const here = import.meta.dirname
const side = 256
const measureOurs = '--ours'

interface Side {
  readonly name: string
  readonly images: number
  readonly seconds: number
  readonly cpuSeconds: number
}

/** A process of its own, as Pillow's are. */
async function ours(): Promise<Side> {
  const self = [...process.execArgv, import.meta.filename, measureOurs, folder!]
  return JSON.parse((await run(process.execPath, self)).stdout) as Side
}

async function prepare(data: string): Promise<Side> {
  const output = await mkdtemp(join(tmpdir(), 'stylegan-'))
  const before = process.cpuUsage()
  const began = performance.now()
  try {
    const { levels } = await prepareDataset(output, { data, resolution: side, channels: 3, skipBad: false })
    const { user, system } = process.cpuUsage(before)
    const seconds = (performance.now() - began) / 1000
    return { name: 'stylegan, prepared', images: levels.count, seconds, cpuSeconds: (user + system) / 1e6 }
  } finally {
    await rm(output, { recursive: true, force: true })
  }
}

async function pillow(name: string, to: number): Promise<Side> {
  const { stdout } = await run(python, [join(here, 'peers/pillow_prepare.py'), folder!, String(to)])
  const { what, ...measured } = JSON.parse(stdout) as Omit<Side, 'name'> & { what: string }
  return { name: `${what}, ${name}`, ...measured }
}

async function compare(): Promise<void> {
  const measured: Side[] = []
  for (let round = 0; round < Number(rounds); round++) {
    for (const measure of [ours, () => pillow('decode and LANCZOS', side), () => pillow('decode', 0)]) {
      measured.push(await measure())
      const { name, images, seconds, cpuSeconds } = measured.at(-1)!
      const each = (s: number) => `${((1000 * s) / images).toFixed(2)} ms`
      console.log(`${name.padEnd(50)} ${images} images, each ${each(seconds)}, ${each(cpuSeconds)} of a processor`)
    }
  }
  const result = {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    load: loadavg(),
    measured,
  }
  await writeFile(join(here, 'results/datasets.json'), JSON.stringify(result, null, 1) + '\n')
}

if (folder === measureOurs) console.log(JSON.stringify(await prepare(python)))
else await compare()

/**
 * How fast the studio answers, and what it costs a training beside which nobody looks.
 *
 *     npm run build
 *     node --import @oxc-node/core/register benchmark/studio.ts
 *
 * Pictures go the way of a page: a request, the network, PNG, the answer. Numbers go to `results/studio.json`, with the load of the
 * machine; processor time says more than the clock where other work runs.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { writeAtomic } from '../ts/files/write-atomic.ts'
import { Device } from '../ts/native/index.ts'
import { machine } from '../ts/performance/benchmark.ts'
import { train } from '../ts/runs/loop.ts'
import { openStudio } from '../ts/studio/server/server.ts'
import { resolveConfig } from '../ts/training/config.ts'
import { createState, encodeState } from '../ts/training/state.ts'
import { median } from './median.ts'

const rows = [
  { resolution: 64, fmapBase: 4096, fmapMax: 256, pictures: 120, wanted: 30 },
  { resolution: 256, fmapBase: 8192, fmapMax: 512, pictures: 16, wanted: 4 },
]
const main = 'dist/cli/main.js'

/** Seconds of processor time that a process has taken; the kernel counts in hundredths. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

async function pictures({ pictures: count, wanted, ...sizes }: (typeof rows)[number]) {
  const outdir = mkdtempSync(join(tmpdir(), 'stylegan-studio-'))
  const config = resolveConfig('stylegan', { data: 'x', batch: 4, ...sizes })
  await writeAtomic(join(outdir, 'a.safetensors'), encodeState(createState(Device.open('cpu'), config), config))
  const began = performance.now()
  const child = spawn(process.execPath, [main, 'studio', '--outdir', outdir, '--port', '0'])
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const [, base, token] = /(http:\S+)#token=(\w+)/.exec(line)!
  const post = (path: string, body: object, cookie = '') =>
    fetch(base! + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie },
      body: JSON.stringify(body),
    })
  const opened = await post('api/session', { token })
  const cookie = opened.headers.get('set-cookie')!.split(';')[0]!
  const look = { network: 'a.safetensors', seed: 0, cutoff: 8, mix: [], shifts: [], noise: 'const', noiseStrength: [] }
  const draw = async (psi: number) => {
    const reply = await post('api/draw', { page: 'a', slot: 'b', scale: 1, look: { ...look, psi } }, cookie)
    if (!reply.ok) throw new Error(await reply.text())
    await reply.arrayBuffer()
  }
  await draw(0)
  const firstMs = performance.now() - began
  const [cpu, start] = [cpuSeconds(child.pid!), performance.now()]
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const asked = performance.now()
    await draw(i / count)
    times.push(performance.now() - asked)
  }
  const perSecond = count / ((performance.now() - start) / 1000)
  const cpuMs = ((cpuSeconds(child.pid!) - cpu) / count) * 1000
  child.kill()
  rmSync(outdir, { recursive: true })
  return { ...sizes, wanted, perSecond, medianMs: median(times), fastestMs: Math.min(...times), cpuMs, firstMs }
}

/** Processor seconds and seconds of a short training. */
async function training(isOpen: boolean): Promise<{ cpu: number; wall: number }> {
  const outdir = mkdtempSync(join(tmpdir(), 'stylegan-studio-'))
  const config = resolveConfig('demo', { outdir, kimg: 6, metrics: 'none', tick: 1, snap: 100 })
  const cli = [process.execPath, main]
  const studio = isOpen
    ? await openStudio({ outdir, port: 0, host: '127.0.0.1', device: 'cpu', version: '', cli })
    : undefined
  let [cpu, wall] = [process.cpuUsage(), performance.now()]
  for await (const event of train(config)) {
    // Preparing the images is no training.
    if (event.type === 'start') [cpu, wall] = [process.cpuUsage(), performance.now()]
  }
  const used = process.cpuUsage(cpu)
  await studio?.close()
  rmSync(outdir, { recursive: true })
  return { cpu: (used.user + used.system) / 1e6, wall: (performance.now() - wall) / 1000 }
}

const load = loadavg()[0]!
const drawn = []
for (const row of rows) {
  const result = await pictures(row)
  drawn.push(result)
  const { resolution, fmapBase, fmapMax, perSecond, medianMs, fastestMs, cpuMs, firstMs } = result
  console.log(
    `${resolution}/${fmapBase}/${fmapMax}: ${perSecond.toFixed(1)} pictures/s, median ${medianMs.toFixed(0)} ms, fastest ${fastestMs.toFixed(0)} ms, ${cpuMs.toFixed(0)} ms of processor time; first after ${firstMs.toFixed(0)} ms`,
  )
}
await training(false)
type Taken = Awaited<ReturnType<typeof training>>
const pairs: { without: Taken; with: Taken }[] = []
for (let i = 0; i < 3; i++) pairs.push({ without: await training(false), with: await training(true) })
const slower = (what: 'cpu' | 'wall') => median(pairs.map((pair) => pair.with[what] / pair.without[what]))
console.log(
  `training beside a studio: ${slower('cpu').toFixed(3)} of the processor time, ${slower('wall').toFixed(3)} of the time`,
)
mkdirSync('benchmark/results', { recursive: true })
const text = JSON.stringify({ machine: machine(), load: [load, loadavg()[0]], drawn, training: pairs }, null, 1)
writeFileSync('benchmark/results/studio.json', text + '\n')

/** Trains or draws again and again in one process; says how much memory it held on the way. Arguments: `steps` or `drawings`, how many, a folder, the sources. */
import { join } from 'node:path'
import { pictureOf, stylesOf } from '../../ts/figures/render.ts'
import { Device } from '../../ts/native/index.ts'
import { train } from '../../ts/runs/loop.ts'
import { resolveConfig } from '../../ts/training/config.ts'
import { readGenerator } from '../../ts/training/state.ts'
import { soakConfig, Sources } from './sources.ts'

const [what, count, dir, sourcesDir] = process.argv.slice(2)
const sources = new Sources(sourcesDir!)
const device = Device.open('cpu')
const total = Number(count)
const samples: { live: number; resident: number }[] = []

/** Ten times on the way, after what is no longer used was collected. */
function sample(done: number): void {
  if (done % Math.floor(total / 10) !== 0) return
  globalThis.gc!()
  samples.push({ live: device.memory().live, resident: process.memoryUsage().rss })
}

if (what === 'steps') {
  const kimg = (total * soakConfig.batch) / 1000
  const config = resolveConfig('demo', {
    ...{ ...soakConfig, kimg, tick: kimg / 10, snap: 5 },
    ...{ data: sources.prepared(), outdir: join(dir!, 'results') },
  })
  let steps = 0
  for await (const event of train(config, { device })) if (event.type === 'step') sample(++steps)
} else {
  const generator = await readGenerator(sources.snapshot(), device)
  for (let seed = 1; seed <= total; seed++) {
    const styles = stylesOf(generator, seed, {})
    await pictureOf(generator, styles, 'const')
    for (const tensor of new Set(styles)) tensor.dispose()
    sample(seed)
  }
}
console.log(JSON.stringify(samples))

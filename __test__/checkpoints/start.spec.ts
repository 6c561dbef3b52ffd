/** Imported networks as a start of training. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openCheckpoint } from '../../ts/checkpoints/index.ts'
import type { Weights } from '../../ts/files/weights.ts'
import { writeAtomic } from '../../ts/files/write-atomic.ts'
import { Device } from '../../ts/native/index.ts'
import type { Params } from '../../ts/networks/params.ts'
import { resolveConfig, scheduleOptions } from '../../ts/training/config.ts'
import { nimgAt, progressAt } from '../../ts/training/schedule.ts'
import { encodeState, readGenerator, loadState } from '../../ts/training/state.ts'
import { trainingStep } from '../../ts/training/step.ts'
import { folder } from '../support/checkpoints.ts'

const at = (file: string) => new URL(file, folder).pathname
const cpu = Device.open('cpu')
const fused = resolveConfig('demo', {
  ...{
    resolution: 16,
    fmapBase: 128,
    fmapMax: 12,
    latentSize: 16,
    mappingLayers: 2,
    batch: 4,
    lodInitialResolution: 8,
  },
  ...{ mbstdGroup: 4, config: 'F' },
})

async function same(t: ExecutionContext, params: Params, weights: Weights): Promise<void> {
  for (const [name, weight] of weights) t.deepEqual(await params.get(name)!.data(), weight.values(), name)
}

test('training starts from the networks of a checkpoint, at its level of detail, and goes on from its own snapshot', async (t) => {
  const path = at('nvlabs/fused16/network.pkl')
  const { Gs, G, D } = await openCheckpoint([path])
  const state = await loadState(path, cpu, fused)
  await same(t, state.G.params, G!)
  await same(t, state.Gs.params, Gs!)
  await same(t, state.D.params, D!)
  t.is(state.options.fusedScale, true)
  const progress = progressAt(state.position.nimg, scheduleOptions(fused))
  t.is(progress.lod, 0)
  t.regex(state.notes!.join(), /starts from NVIDIA's StyleGAN/)
  const reals = cpu.tensor(new Uint8Array(4 * 16 * 16 * 3), [4, 16, 16, 3])
  t.true([...(await trainingStep(state, reals, progress, fused).data())].every(Number.isFinite))

  const snapshot = join(await mkdtemp(join(tmpdir(), 'stylegan-start-')), 'network-snapshot-000001.safetensors')
  await writeAtomic(snapshot, encodeState(state, fused))
  const again = await loadState(snapshot, cpu, fused)
  t.deepEqual(again.options, state.options)
  for (const [name, tensor] of state.G.params) t.deepEqual(await again.G.params.get(name)!.data(), await tensor.data())
  t.is((await readGenerator(snapshot, cpu)).origin?.licence, 'CC BY-NC 4.0')
})

test('a checkpoint without a discriminator starts with a fresh one, which is said', async (t) => {
  const config = resolveConfig('demo', {
    ...{
      resolution: 64,
      fmapBase: 384,
      fmapMax: 12,
      latentSize: 20,
      mappingLayers: 8,
      batch: 4,
      mbstdGroup: 4,
      config: 'F',
    },
  })
  const state = await loadState(at('lernapparat/for-g-all-64/random-64x64.for_g_all.pt'), cpu, config)
  t.regex(state.notes!.join(), /has no discriminator: a fresh one is made/)
  t.is(state.options.semantics?.epsilon, 1e-5)
})

test('a checkpoint of other networks than the options ask for is refused, and the option named', async (t) => {
  const other = { ...fused, latentSize: 32 }
  await t.throwsAsync(loadState(at('nvlabs/fused16/network.pkl'), cpu, other), {
    message: /latentSize 32 are expected/,
  })
})

test('the images after which training stands at a level of detail are those of the schedule', (t) => {
  const options = scheduleOptions(fused)
  for (const lod of [0, 0.25, 0.5, 1])
    t.true(Math.abs(progressAt(nimgAt(lod, options), options).lod - lod) < 0.01, `${lod}`)
})

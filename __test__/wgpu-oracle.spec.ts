/** Whole networks on the WebGPU device against the independent numbers of `fixtures/oracle`. */
import test from 'ava'
import { Device, listDevices, scope } from '../ts/native.ts'
import { mapping } from '../ts/networks/mapping.ts'
import { cases, differences, expectedAt, latentResults, lodResults, openCase, within } from './oracle.ts'

// f32 arithmetic, sums of thousands of products.
const f32 = 1e-4
// Where an activation is zero but for rounding, a gradient jumps (oracle.spec.ts): not on Mesa's software adapter, but on hardware
// that rounds otherwise it may.
const gradients = listDevices()[1]?.kind === 'software' ? f32 : 1e-2

for (const name of cases) {
  test.serial(`${name} on wgpu: latents, images, scores, losses and all gradients are the expected ones`, async (t) => {
    const oracle = await openCase(name, Device.open('wgpu'))
    const { G, labels, options } = oracle
    const latents = scope(() => latentResults(oracle, (z) => mapping(G.params, z, labels, options)))
    within(t, await differences(t, latents, oracle.expected), f32)
    for (const lod of oracle.config.lods) {
      const found = await differences(t, lodResults(oracle, lod), expectedAt(oracle, lod), true)
      for (const [key, difference] of found) {
        within(t, new Map([[`lod${lod}/${key}`, difference]]), key.includes('/grad/') ? gradients : f32)
      }
    }
  })
}

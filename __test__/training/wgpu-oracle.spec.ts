/** Whole networks on the WebGPU device against the independent numbers of `fixtures/oracle`. */
import test from 'ava'
import { cases, everyAlgorithmAgrees } from '../support/oracle.ts'

for (const name of cases) {
  test.serial(`${name} on wgpu: every convolution algorithm gives the expected numbers`, async (t) => {
    await everyAlgorithmAgrees(t, name, 'wgpu')
  })
}

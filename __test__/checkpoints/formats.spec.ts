/** Networks of other code bases give what their own code computed. */
import { readdirSync } from 'node:fs'
import test from 'ava'
import { Device, listDevices } from '../../ts/native/index.ts'
import { differences, folder } from '../support/checkpoints.ts'

const variants = ['genforce', 'huangzh13', 'lernapparat', 'nvlabs', 'rosinality', 'siskonemilia'].flatMap((format) =>
  readdirSync(new URL(`${format}/`, folder)).map((variant) => `${format}/${variant}`),
)

/** Expected values are f32 results of other sums; an independent f64 forward differs by up to 8e-6. */
const tolerances = { reference: 5e-5, cpu: 1e-4, wgpu: 1e-4 }

for (const [name, tolerance] of Object.entries(tolerances)) {
  const isHere = name !== 'wgpu' || listDevices().some(({ device }) => device.startsWith('wgpu'))
  const run = isHere ? test : test.skip
  for (const variant of variants) {
    run(`${variant} gives its code base's own numbers on ${name}`, async (t) => {
      const found = await differences(variant, Device.open(name))
      t.true(found.size > 0)
      for (const [what, difference] of found) t.true(difference <= tolerance, `${what} differs by ${difference}`)
      t.log(`${variant}: at most ${Math.max(...found.values()).toExponential(1)}`)
    })
  }
}

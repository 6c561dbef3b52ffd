import test from 'ava'
import { fromBytes, toBytes } from '../../ts/data/pixels.ts'
import { Device } from '../../ts/native/index.ts'

const device = Device.open('reference')

test('bytes become −1 … 1 and come back', async (t) => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
  const images = fromBytes(device.tensor(bytes, [256]))
  const values = await images.data()
  t.is(values[0], -1)
  t.true(Math.abs(values[255]! - 1) <= 1e-12)
  t.deepEqual(await toBytes(images).data(), bytes)
})

test('images beyond −1 … 1 become the darkest and brightest bytes', async (t) => {
  t.deepEqual([...(await toBytes(device.tensor([-3, -1, 0, 1, 3], [5])).data())], [0, 0, 128, 255, 255])
})

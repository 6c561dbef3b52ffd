/** The device `auto`, wherever a device is named. */
import test from 'ava'
import { compare } from '../../ts/metrics/compare.ts'
import { measure } from '../../ts/metrics/measure.ts'
import { chooseDevice, Device } from '../../ts/native/index.ts'
import { estimateRun } from '../../ts/runs/estimate.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { train } from '../../ts/runs/loop.ts'
import { resolveConfig } from '../../ts/training/config.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

test('auto trains, draws, measures, compares and estimates on the device that it means here', async (t) => {
  const { device } = chooseDevice('auto')
  t.is(Device.open('auto').name, device)
  const [data, outdir] = [await tinyDataset(), await folder()]
  const options = { resolution: 16, kimg: 0.016, metrics: 'ms_ssim', metricsNum: 4, device: 'auto' } as const
  const config = resolveConfig('demo', { ...tinyConfig, data, outdir, ...options })
  let path = ''
  for await (const event of train(config)) if (event.type === 'snapshot') path = event.path
  const G = await loadGenerator(path, { device: 'auto' })
  t.is(G.Gs.device.name, device)
  const images = await G.images({ seeds: '0-3' })
  t.true('ms_ssim' in (await compare('ms_ssim', images, undefined, { device: 'auto', num: 4 })))
  const lines: object[] = []
  const given = { network: path, metrics: ['ms_ssim'], num: 4, seed: 0, mode: 'legacy_tensorflow' } as const
  await measure({ ...given, cache: outdir, device: 'auto' }, { onLine: ({ results }) => lines.push(results) })
  t.is(lines.length, 1)
  t.true((await estimateRun(config, Device.open('auto'), 0.1)).totalSeconds > 0)
})

/**
 * Features of Inception-v3 and VGG-16 on this machine; with `--profile`, where the time goes.
 *
 *     node --import @oxc-node/core/register benchmark/features.ts [inception|vgg] [batch] [--profile]
 */
import { Device } from '../ts/native/index.ts'
import { measurePeak, profileTable } from '../ts/performance/profile.ts'
import { featuresOf, type FeatureNetwork } from './feature-networks.ts'
import { median } from './median.ts'

const [network = 'inception', batch = '8'] = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const device = Device.open('cpu')
const run = featuresOf(device, network as FeatureNetwork, Number(batch))
await run()
const seconds: number[] = []
for (let i = 0; i < 7; i++) seconds.push(await run())
console.log(`${network}, batch ${batch}: ${(Number(batch) / median(seconds)).toFixed(1)} images/s`)
if (process.argv.includes('--profile')) {
  const peak = await measurePeak(device)
  device.profile(true)
  await run()
  console.log(profileTable(await device.costs(), peak, 1))
}

/** A loop of one's own with the package's images, schedule, optimiser, running average and snapshots. Started again, it goes on. */
import { existsSync } from 'node:fs'
import { Device, resolveConfig } from 'stylegan'
import * as networks from 'stylegan/networks'

const [data = 'builtin:avatars', file = 'own.safetensors', kimg = '8'] = process.argv.slice(2)
const reals = await networks.Minibatches.open(resolveConfig('demo', { data, kimg: Number(kimg) }))
const [device, { config }] = [Device.open('auto'), reals]
const state = existsSync(file) ? await networks.loadState(file, device, config) : networks.createState(device, config)
while (state.position.nimg < config.kimg * 1000) {
  const progress = networks.progressAt(state.position.nimg, networks.scheduleOptions(config))
  const { images, labels } = reals.tensorsOf(await reals.at(state.position.nimg, progress), device, progress)
  const losses = networks.trainingStep(state, images, progress, config, labels)
  await losses.data().finally(() => [images, losses].forEach((tensor) => tensor.dispose()))
}
await networks.saveState(file, state, config)
console.log(`saved after ${state.position.nimg / 1000} kimg`)
// saved after 8 kimg

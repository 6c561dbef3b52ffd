/** What training costs at each resolution, up to a factor that is measured: from one resolution follow the others. */
import { scheduleOptions, type TrainConfig } from '../training/config.ts'
import { featureMaps } from '../networks/params.ts'
import { progressAt, timeline } from '../training/schedule.ts'

/**
 * Estimate of the seconds that the rest of training takes. Later resolutions cost more: what was measured at this one is
 * scaled by {@link imageWork}.
 */
export function secondsLeft(config: TrainConfig, nimg: number, secPerKimg: number): number {
  const options = scheduleOptions(config)
  const { kimg, resolution } = progressAt(nimg, options)
  const cost = (side: number): number => imageWork(config, side) / imageWork(config, resolution)
  return timeline(options, config.kimg)
    .filter((phase) => phase.toKimg > kimg)
    .map((phase) => (phase.toKimg - Math.max(phase.fromKimg, kimg)) * secPerKimg * cost(phase.resolution))
    .reduce((sum, seconds) => sum + seconds, 0)
}

/**
 * Up to a factor, the time of one image whose side is `resolution`: the multiplications of the 3x3 convolutions, the passes over
 * feature maps, and the time it takes to launch them.
 */
export function imageWork(config: TrainConfig, resolution: number): number {
  // Measured on the cpu device. 256×256 with 64 feature maps and 32×32 with 512 have the same multiplications; the former takes
  // 1.6 times as long, since its feature maps are 8 times as large. What makes 8×8 with 64 maps cost a twelfth of 32×32, not a
  // seventeenth, is launching. Small images with many maps cost more for each multiplication, since every image reads all weights:
  // with 512 maps 8×8 takes 2.3 and 16×16 1.3 times as long for each as 32×32.
  return sumOfSides(config, resolution, 150_000, (side, maps) => (side ** 2 + 60) * maps ** 2 + 45 * side ** 2 * maps)
}

/** Up to a factor, the time of a step that no image adds to: preparing, accumulating and updating the weights of its layers. */
export function onceWork(config: TrainConfig, resolution: number): number {
  return sumOfSides(config, resolution, 0, (_, maps) => maps ** 2)
}

/** Up to a factor, the memory of one image whose side is `resolution`: its feature maps. */
export function imageMemory(config: TrainConfig, resolution: number): number {
  return sumOfSides(config, resolution, 0, (side, maps) => side ** 2 * maps)
}

function sumOfSides(
  config: TrainConfig,
  resolution: number,
  start: number,
  term: (side: number, maps: number) => number,
): number {
  let sum = start
  for (let side = 4; side <= resolution; side *= 2) sum += term(side, featureMaps(config, Math.log2(side) - 1))
  return sum
}

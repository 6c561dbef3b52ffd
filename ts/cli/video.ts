/** `stylegan video`: a looping walk through W. */
import { Command, Option } from 'commander'
import { scaleOf } from '../figures/figures.ts'
import {
  animatedPng,
  easings,
  encodeVideo,
  ffmpegFault,
  spaces,
  walk,
  type Easing,
  type Space,
} from '../figures/video.ts'
import {
  drawOptions,
  makeFolder,
  openGenerator,
  parseCount,
  parseGrid,
  parseSeeds,
  sayPath,
  writeFile,
  type DrawOptions,
} from './arguments.ts'
import { checkOutput } from '../runs/outputs.ts'

/** The first two are animated PNG, the others ffmpeg's. */
const videoKinds = ['.png', '.apng', '.mp4', '.m4v', '.webm', '.mkv', '.mov', '.avi', '.gif', '.webp']

interface Options extends DrawOptions {
  seeds: number[]
  grid?: { columns: number; rows: number }
  wFrames: number
  fps: number
  easing: Easing
  space: Space
  output: string
}

export function videoCommand(): Command {
  const command = new Command('video').description('Walk from seed to seed through W, and back to the first.')
  return drawOptions(command)
    .requiredOption('--seeds <list>', 'key frames; in a grid, the first of all cells, then the second …', parseSeeds)
    .option('--grid <CxR>', 'several walks side by side (default: 1x1)', parseGrid)
    .option('--w-frames <n>', 'frames from one key frame to the next', parseCount, 60)
    .option('--fps <n>', 'frames a second', parseCount, 30)
    .addOption(new Option('--easing <name>', 'how to pass the key frames').choices(easings).default('cubic'))
    .addOption(new Option('--space <name>', 'what is interpolated: w, or z, the input').choices(spaces).default('w'))
    .option(
      '--output <file>',
      '.png for an animated PNG; .mp4, .webm, .gif … need ffmpeg on this machine',
      'out/video.mp4',
    )
    .addHelpText('after', '\nExample:\n  $ stylegan video --network results --seeds 0-7 --grid 2x2 --output walk.mp4')
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { seeds, grid = { columns: 1, rows: 1 }, wFrames: framesPerKey, fps, easing, space, output } = options
  await checkOutput(output, videoKinds)
  const { generator, sampling, expect } = await openGenerator(options)
  const scale = options.scale ?? scaleOf(generator.options.resolution)
  // Each seed is a key frame of one cell.
  expect(seeds.length * framesPerKey)
  const frames = walk(generator, { ...sampling, ...grid, seeds, framesPerKey, easing, space, scale })
  if (/\.a?png$/i.test(output)) return writeFile(output, await animatedPng(frames, fps))
  const fault = await ffmpegFault()
  if (fault === undefined) {
    await makeFolder(output)
    await encodeVideo(frames, fps, output)
    sayPath(`${output} (encoded by ffmpeg)`)
    return
  }
  const instead = output.replace(/(\.\w+)?$/, '.png')
  sayPath(`${fault}: writing an animated PNG, ${instead}, instead of ${output}`)
  await writeFile(instead, await animatedPng(frames, fps))
}

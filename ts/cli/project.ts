/** `stylegan project`: the w whose picture is nearest to a given one. */
import { Command, Option } from 'commander'
import { formatTime } from '../files/units.ts'
import { projectionSpaces, type ProjectionSpace } from '../figures/projector.ts'
import { project, type ProjectEvent } from '../runs/project.ts'
import {
  deviceHelp,
  networkHelp,
  openDevice,
  parseClasses,
  parseCount,
  parseWhole,
  refuseIgnored,
  sayPath,
} from './arguments.ts'
import { Progress } from './progress.ts'
import { interruptible } from './signals.ts'
import { JsonLines } from './train-json.ts'

interface Options {
  network: string
  target: string
  space: ProjectionSpace
  numSteps: number
  seed: number
  class?: (number | string)[]
  weights?: string
  vgg?: string
  lpips?: string
  allowUnknownWeights?: boolean
  device: string
  outdir: string
  preview?: number
  json?: boolean
}

export function projectCommand(): Command {
  return new Command('project')
    .description(
      'Find the w whose picture is nearest to an image. Ctrl-C saves; the same command goes on where it stopped.',
    )
    .requiredOption('--network <path>', networkHelp)
    .requiredOption('--target <file>', 'an image, of which the centre square is taken')
    .addOption(
      new Option(
        '--space <name>',
        'what is looked for: one w, or one for each layer, which is nearer and edits less well',
      )
        .choices(projectionSpaces)
        .default('w'),
    )
    .option('--num-steps <n>', 'steps', parseCount, 1000)
    .option('--seed <n>', 'seed of the noise', parseWhole, 303)
    .option('--class <list>', 'class of a network that was trained with labels, by name or number', parseClasses)
    .option('--weights <dir>', 'folder with weights of VGG16: pictures are then compared by LPIPS')
    .option('--vgg <file>', 'weights of VGG16')
    .option('--lpips <file>', 'heads of LPIPS, in place of those in this package')
    .option('--allow-unknown-weights', 'take weight files with other hashes')
    .option('--device <name>', deviceHelp, 'cpu')
    .option('--outdir <dir>', 'where proj.png, target.png, projected_w.npz and proj.mp4 go', 'out')
    .option('--preview <n>', 'also write proj.png every n steps, to watch', parseCount)
    .option('--json', 'events as lines of JSON, for programs; all else goes to standard error')
    .addHelpText(
      'after',
      `
Without weights, pictures are compared by their pixels at every size, and by features of the network's own
discriminator where its file has one.

Examples:
  $ stylegan project --network results --target face.png
  $ stylegan generate --network results --projected-w out/projected_w.npz`,
    )
    .action(run)
}

async function run({ json, device, ...options }: Options): Promise<void> {
  const { weights, vgg, lpips, allowUnknownWeights } = options
  const none = weights === undefined && vgg === undefined
  refuseIgnored(
    ['--lpips', lpips !== undefined && none, 'it belongs to --weights or --vgg'],
    ['--allow-unknown-weights', allowUnknownWeights === true && none, 'it belongs to --weights or --vgg'],
  )
  const say = json ? console.error : console.log
  const shows = json ? new JsonLines() : new Display()
  const work = async (signal: AbortSignal) => {
    for await (const event of project({ ...options, device: openDevice(device) }, { signal })) shows.show(event)
  }
  await interruptible('Stopping after this step; the same command goes on.', work, say)
}

const bar = 'steps {bar} {value}/{total} distance {distance} {eta_formatted}'

/** A line for what is known at the beginning, a bar, and the files. */
class Display {
  readonly #progress = new Progress()
  #began = 0

  show(event: ProjectEvent): void {
    switch (event.type) {
      case 'notice':
        return this.#progress.line(`Notice         ${event.line}`)
      case 'start':
        this.#began = performance.now()
        this.#progress.line(`Network        ${event.network}`)
        this.#progress.line(`Compared by    ${event.distance}`)
        if (event.step > 0) this.#progress.line(`Going on after step ${event.step} of ${event.total}`)
        return
      case 'step':
        this.#progress.draw(bar, event.total, event.step, { distance: event.distance.toFixed(4) })
        if (event.step === event.total) this.#progress.line(this.#end(event.distance))
        return
      case 'file':
        return sayPath(event.path)
      case 'saved':
        return
      case 'end':
        if (event.aborted) this.#progress.line(`Saved          after step ${event.step}`)
    }
  }

  #end(distance: number): string {
    const seconds = (performance.now() - this.#began) / 1000
    return `Distance       ${distance.toFixed(4)}, in ${formatTime(seconds)}`
  }
}

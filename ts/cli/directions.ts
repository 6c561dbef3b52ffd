/** `stylegan directions`: where attributes grow in W, for `generate --shift` and the studio. */
import { Command } from 'commander'
import { findDirections, type DirectionsEvent } from '../runs/directions.ts'
import { deviceHelp, networkHelp, openDevice, parseCount, parseWhole, sayPath } from './arguments.ts'
import { Progress } from './progress.ts'
import { interruptible } from './signals.ts'
import { JsonLines } from './train-json.ts'

interface Options {
  network: string
  classifiers: string
  num: number
  seed: number
  output?: string
  device: string
  json?: boolean
}

export function directionsCommand(): Command {
  return new Command('directions')
    .description('Find the directions of attributes in W: eyeglasses, a smile, whatever classifiers were trained for.')
    .requiredOption('--network <path>', networkHelp)
    .option('--classifiers <dir>', "folder of 'stylegan classifier train'", 'classifiers')
    .option('--num <n>', 'images that are drawn and classified', parseCount, 10_000)
    .option('--seed <n>', 'seed of the images', parseWhole, 0)
    .option('--output <file>', 'where they are written (default: beside the network)')
    .option('--device <name>', deviceHelp, 'cpu')
    .option('--json', 'events as lines of JSON, for programs; all else goes to standard error')
    .addHelpText(
      'after',
      `
Each direction is the normal of the hyperplane of linear separability (StyleGAN, Section 4.2).

Examples:
  $ stylegan directions --network results
  $ stylegan generate --network results --seeds 7 --shift eyeglasses:5:0-7`,
    )
    .action(run)
}

async function run({ json, device, ...options }: Options): Promise<void> {
  const say = json ? console.error : console.log
  const shows = json ? new JsonLines() : new Display()
  const work = async (signal: AbortSignal) => {
    for await (const event of findDirections({ ...options, device: openDevice(device) }, { signal })) shows.show(event)
  }
  await interruptible('Stopping; nothing was written.', work, say)
}

/** A bar, a line for each attribute, and the file. */
class Display {
  readonly #progress = new Progress()

  show(event: DirectionsEvent): void {
    switch (event.type) {
      case 'start':
        return this.#progress.line(`Network        ${event.network}`)
      case 'classifying':
        return this.#progress.count('classifying images', event.done, event.total)
      case 'attribute':
        return this.#progress.line(describe(event))
      case 'file':
        return sayPath(event.path)
    }
  }
}

function describe({ attribute, name = attribute, agreement }: Extract<DirectionsEvent, { type: 'attribute' }>): string {
  if (agreement === undefined) return `${name.padEnd(20)} no direction: all images that count are alike`
  return `${name.padEnd(20)} ${(100 * agreement).toFixed(1).padStart(6)} % of the images are on the right side`
}

/** `stylegan studio`: runs and networks in a browser; and the same beside a training. */
import { once } from 'node:events'
import { Command, InvalidArgumentError } from 'commander'
import { packageVersion } from '../files/package-files.ts'
import { shownLine } from '../files/shown.ts'
import { chooseDevice } from '../native/index.ts'
import { openStudio, type Studio, type StudioOptions } from '../studio/server/server.ts'
import type { TrainConfig } from '../training/config.ts'
import { deviceHelp, parseWhole } from './arguments.ts'
import { interruptible } from './signals.ts'

export const studioPort = 8008

interface Options {
  outdir: string
  dataRoot?: string
  classifiers: string
  port: number
  host: string
  device: string
}

export function studioCommand(): Command {
  return new Command('studio')
    .description('Watch trainings and play with what they have learned, in a browser on this machine.')
    .option('--outdir <dir>', 'folder of the runs', 'results')
    .option('--data-root <dir>', 'folder whose folders of images and files of networks the page may use')
    .option('--classifiers <dir>', "folder of 'stylegan classifier train', to find attributes", 'classifiers')
    .option('--port <n>', 'port of this machine; 0 takes a free one', parsePort, studioPort)
    .option('--host <address>', 'address to listen on; another than this reaches the network', '127.0.0.1')
    .option('--device <name>', deviceHelp, 'cpu')
    .addHelpText(
      'after',
      `
The address that it prints holds the token of this studio: whoever has it can start trainings. It is also in
OUTDIR/.studio-token, which only you can read.

Examples:
  $ stylegan studio
  $ stylegan studio --outdir results --data-root ./photos --port 8010`,
    )
    .action(run)
}

async function run({ outdir, dataRoot, classifiers, port, host, device: name }: Options): Promise<void> {
  const { device, note } = chooseDevice(name)
  if (note) console.log(shownLine(note))
  await interruptible('The studio is closed. Trainings that it started go on.', async (signal) => {
    const studio = await open({ outdir, dataRoot, classifiers, port, host, device }, console.log)
    console.log(shownLine(`Runs           ${describe(studio.found)}${outdir}`))
    try {
      await aborted(signal)
    } finally {
      await studio.close()
    }
  })
}

const describe = ({ isNew, runs }: Studio['found']): string =>
  isNew ? 'none, in a new folder: ' : `${runs === 0 ? 'none' : runs} in `

/** A training with the studio beside it, in one process; the studio stays when the training has ended. */
export async function besideStudio(
  { outdir, device, classifiers }: TrainConfig,
  port: number,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  const own = new AbortController()
  const studio = await open(
    { outdir, port, host: '127.0.0.1', device, classifiers: classifiers ?? 'classifiers', stopOwn: () => own.abort() },
    say,
  )
  try {
    await work(AbortSignal.any([signal, own.signal]))
    if (signal.aborted) return
    say('The studio stays open. Ctrl-C ends it.')
    await aborted(signal)
  } finally {
    await studio.close()
  }
}

async function open(options: Omit<StudioOptions, 'version' | 'cli'>, say: (line: string) => void): Promise<Studio> {
  const cli = [process.execPath, ...process.execArgv, process.argv[1]!]
  const studio = await openStudio({ ...options, version: packageVersion(), cli })
  say(shownLine(`Studio         ${studio.url}`))
  return studio
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

/** A port of this machine. */
export function parsePort(text: string): number {
  const port = parseWhole(text)
  if (port > 65_535) throw new InvalidArgumentError(`a port from 0 to 65535 is expected, got '${text}'.`)
  return port
}

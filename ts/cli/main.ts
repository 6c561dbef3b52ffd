#!/usr/bin/env node
/** The command line: one command a file. Errors end here, as one line that says what to do. */
import { Command, CommanderError } from 'commander'
import { flagOf, refuseEmptyPaths } from './arguments.ts'
import { benchCommand } from './bench.ts'
import { classifierCommand } from './classifier.ts'
import { answerOtherNames, complaintOf } from './complaints.ts'
import { devicesCommand } from './devices.ts'
import { datasetCommand } from './dataset.ts'
import { directionsCommand } from './directions.ts'
import { generateCommand } from './generate.ts'
import { exportCommand } from './export.ts'
import { importCommand } from './import.ts'
import { infoCommand } from './info.ts'
import { metricsCommand } from './metrics.ts'
import { mixCommand } from './mix.ts'
import { noiseCommand } from './noise.ts'
import { clearBar } from './progress.ts'
import { watchScreen } from './signals.ts'
import { messageOf } from '../files/option-names.ts'
import { packageVersion } from '../files/package-files.ts'
import { shownLine } from '../files/shown.ts'
import { DataError } from '../native/index.ts'
import { diskError, systemError } from '../files/write-atomic.ts'
import { projectCommand } from './project.ts'
import { studioCommand } from './studio.ts'
import { trainCommand } from './train.ts'
import { truncateCommand } from './truncate.ts'
import { videoCommand } from './video.ts'

const program = new Command('stylegan')
  .description('StyleGAN (Karras, Laine, Aila 2018): train it on a folder of images, then draw from it')
  .version(packageVersion())
  .addCommand(trainCommand())
  .addCommand(generateCommand())
  .addCommand(mixCommand())
  .addCommand(truncateCommand())
  .addCommand(noiseCommand())
  .addCommand(videoCommand())
  .addCommand(projectCommand())
  .addCommand(directionsCommand())
  .addCommand(studioCommand())
  .addCommand(metricsCommand())
  .addCommand(classifierCommand())
  .addCommand(datasetCommand())
  .addCommand(infoCommand())
  .addCommand(importCommand())
  .addCommand(exportCommand())
  .addCommand(devicesCommand())
  .addCommand(benchCommand())
  .addHelpText(
    'after',
    `
Examples:
  $ stylegan train --preset demo                     faces in minutes, from nothing
  $ stylegan dataset inspect ./photos                what is in a folder, before hours are spent on it
  $ stylegan train --data ./photos                   your own images; run it again to go on
  $ stylegan generate --network results --seeds 0-9  pictures of what was learned

Each command explains itself: stylegan train --help`,
  )

/** Errors are thrown to the end of this file, whoever finds them; all commands refuse empty paths alike. */
function throwErrors(command: Command): void {
  refuseEmptyPaths(command)
  command.exitOverride().configureOutput({ outputError: () => {} })
  command.hook('preSubcommand', (_, sub) => answerOtherNames(sub, process.argv.slice(2)))
  for (const sub of command.commands) throwErrors(sub)
}

/** The file or folder that an error of the file system speaks of. */
function placeOf(error: unknown): string {
  return error instanceof Error && 'path' in error ? String(error.path) : 'a file of this command'
}

function sentenceOf(error: unknown): string {
  if (error instanceof CommanderError) return complaintOf(error, process.argv.slice(2))
  const found = error instanceof DataError ? (systemError(error) ?? error) : error
  const told = diskError(placeOf(found), found)
  return told instanceof Error ? messageOf(told, flagOf) : String(told)
}

/** The command line. Where it asks for the help of a command that there is not, that name alone, of which commander complains. */
function argumentsOf(line: readonly string[]): readonly string[] {
  const [name = 'help'] = line[0] === 'help' ? line.slice(1) : line
  const isKnown = name.startsWith('-') || name === 'help' || program.commands.some((command) => command.name() === name)
  return isKnown ? line : [name]
}

throwErrors(program)
watchScreen()
try {
  await program.parseAsync(argumentsOf(process.argv.slice(2)), { from: 'user' })
} catch (error) {
  clearBar()
  const isHelp = error instanceof CommanderError && /^commander\.(help|version)/.test(error.code)
  if (!isHelp) console.error(shownLine(`stylegan: ${sentenceOf(error)}`))
  process.exitCode = isHelp ? error.exitCode : 1
}

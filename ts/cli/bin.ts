#!/usr/bin/env node
/** The program `stylegan`: the command line, or one line if the addon cannot be loaded. */
import { packageVersion } from '../files/package-files.ts'

if (process.argv.length === 3 && /^(--version|-V)$/.test(process.argv[2]!)) {
  // Nothing else is loaded for it.
  console.log(packageVersion())
} else {
  try {
    await import('./main.ts')
  } catch (error) {
    console.error(`stylegan: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}

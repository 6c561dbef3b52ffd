#!/usr/bin/env node
/** The program `stylegan`: the command line, or one line if the addon cannot be loaded. */
try {
  await import('./main.ts')
} catch (error) {
  console.error(`stylegan: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

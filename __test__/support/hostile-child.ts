/** Opens the files that it is told, in a process of little memory: says a line for each, or what it should not have done. */
import { openCheckpoint } from '../../ts/checkpoints/index.ts'
import { WeightsError } from '../../ts/files/weights.ts'

for (const path of process.argv.slice(2)) {
  const began = performance.now()
  const line = await openCheckpoint([path]).then(
    () => 'opened',
    (error: unknown) => (error instanceof WeightsError ? error.message : `another error: ${String(error)}`),
  )
  const polluted = 'polluted' in {} ? ', prototypes are polluted' : ''
  process.stdout.write(`${JSON.stringify({ path, line: line + polluted, ms: performance.now() - began })}\n`)
}
process.stdout.write(`${JSON.stringify({ megabytes: process.resourceUsage().maxRSS / 1024 })}\n`)

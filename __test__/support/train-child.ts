/** Trains in a process of its own that kills itself at a step of writing a file: `config JSON`, `step`, `which time`. */
import type { TrainConfig } from '../../ts/training/config.ts'
import { train } from '../../ts/runs/loop.ts'

const [config, killStep, time] = process.argv.slice(2)
let times = 0
const onWrite = (step: string) => {
  if (step !== killStep || ++times < Number(time)) return
  process.kill(process.pid, 'SIGKILL')
  // The signal may take a moment; nothing may be written meanwhile.
  return new Promise<void>(() => {})
}
for await (const event of train(JSON.parse(config!) as TrainConfig, { onWrite })) {
  if (event.type === 'end') process.exitCode = 7
}

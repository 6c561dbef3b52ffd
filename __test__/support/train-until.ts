/** Trains in a process of its own until it writes its first snapshot; then it says so and waits to be ended. */
import { train } from '../../ts/runs/loop.ts'
import type { TrainConfig } from '../../ts/training/config.ts'

let images = false
const onWrite = async (step: string) => {
  if (!images || step !== 'sync') return
  console.log('writing')
  await new Promise(() => setInterval(() => {}, 1000))
}
for await (const event of train(JSON.parse(process.argv[2]!) as TrainConfig, { onWrite })) {
  if (event.type === 'tick') images = true
}

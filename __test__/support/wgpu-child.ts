/** Uses a GPU in a process or a worker of its own: `result` waits for numbers, `exit` leaves with work under way. */
import { parentPort, workerData } from 'node:worker_threads'
import { Device, Rng } from '../../ts/native/index.ts'

const task = (workerData as string | null) ?? process.argv[2]
const device = Device.open('wgpu')
const x = new Rng(1).normal(device, [64, 64])
if (task === 'exit') {
  let y = x
  for (let i = 0; i < 500; i++) y = y.matmul(x).mul(0.1)
  void y.data().catch(() => {})
  process.exit(7)
}
let sum = 0
for (const value of await x.matmul(x).data()) sum += Math.abs(value)
parentPort?.postMessage(sum)

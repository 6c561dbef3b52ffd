/** A worker that trains until it is ended. */
import { parentPort, workerData } from 'node:worker_threads'
import { train } from '../../ts/runs/loop.ts'
import type { TrainConfig } from '../../ts/training/config.ts'

for await (const event of train(workerData as TrainConfig)) parentPort!.postMessage(event.type)

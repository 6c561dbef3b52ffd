/** Takes the lock of a file in a process or a worker of its own, says so, and keeps it until it is ended. */
import { parentPort, workerData } from 'node:worker_threads'
import { acquireLock } from '../../ts/files/lock.ts'

acquireLock((workerData as string | null) ?? process.argv[2]!, { what: 'a test', advice: 'wait' })
if (parentPort) parentPort.postMessage('locked')
else console.log('locked')
setInterval(() => {}, 1000)

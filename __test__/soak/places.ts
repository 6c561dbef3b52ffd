/** Disks that are full or read-only, and few file handles: one sentence, and the same command goes on where there is room again. */
import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { setTimeout } from 'node:timers/promises'
import { join } from 'node:path'
import { commandsOf, finish, judge, start, type Undisturbed } from './commands.ts'
import type { Sources } from './sources.ts'
import { eachCase, type Part } from './trial.ts'

const run = promisify(execFile)
const onLinux = process.platform === 'linux'

export function placeParts(sources: Sources, undisturbed: Undisturbed): Part[] {
  const commands = Object.values(commandsOf(sources))
  return [
    eachCase('places/full disk', 2, async (random, dir) => {
      const command = random.pick(commands)
      const { answer } = await undisturbed.of(command)
      const kib = Math.ceil(2 ** random.between(3, 12))
      return onDisk(dir, `size=${kib}k`, async (disk) => {
        const ended = await start(command, disk).ended
        const what = await judge(command, disk, ended, answer)
        if (what === 'refused' && !/full|space|ENOSPC/.test(ended.err)) throw new Error(`not of the disk: ${ended.err}`)
        await run('mount', ['-o', 'remount,size=64m', disk])
        await finish(command, disk, answer).catch((error: unknown) => {
          throw new Error(
            `${command.name} after a disk of ${kib} KiB, which ended with ${ended.err}: ${(error as Error).message}`,
          )
        })
        return what === 'refused' ? 'refused and resumed' : what
      })
    }),
    eachCase('places/read-only', 1, async (random, dir) => {
      const command = random.pick(commands)
      const { answer, ms } = await undisturbed.of(command)
      return onDisk(dir, 'size=64m', async (disk) => {
        const { child, ended } = start(command, disk)
        await Promise.race([setTimeout(random.between(0, ms)), ended])
        child.kill('SIGKILL')
        await ended
        await run('mount', ['-o', 'remount,ro', disk])
        const readOnly = await start(command, disk).ended
        const what = await judge(command, disk, readOnly, answer)
        if (what === 'refused' && !/read-only|EROFS/i.test(readOnly.err))
          throw new Error(`not of the disk: ${readOnly.err}`)
        await run('mount', ['-o', 'remount,rw', disk])
        await finish(command, disk, answer)
        return what === 'refused' ? 'refused and resumed' : what
      })
    }),
    eachCase('places/few handles', 1, async (random, dir) => {
      if (!onLinux) return 'skipped'
      const command = random.pick(commands)
      const { answer } = await undisturbed.of(command)
      // 128 are what is promised (limits.spec); with fewer than about 110 Node.js cannot load the modules.
      const handles = 128 - random.below(9)
      const through = ['sh', '-c', `ulimit -n ${handles} && exec "$@"`, 'sh']
      const ended = await start(command, dir, through).ended
      if ((await judge(command, dir, ended, answer)) !== 'done') throw new Error(`${handles} handles: ${ended.err}`)
      return 'done'
    }),
  ]
}

/** A disk of its own, which needs the rights of root. */
async function onDisk(dir: string, options: string, work: (disk: string) => Promise<string>): Promise<string> {
  const disk = join(dir, 'disk')
  await mkdir(disk)
  const mounted =
    onLinux &&
    (await run('mount', ['-t', 'tmpfs', '-o', options, 'stylegan-soak', disk]).then(
      () => true,
      () => false,
    ))
  if (!mounted) return 'skipped'
  try {
    return await work(disk)
  } finally {
    await run('umount', [disk])
  }
}

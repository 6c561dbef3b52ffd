/** Signals at random moments of every long command: what goes on afterwards ends with the same bits. */
import { constants } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { commandsOf, finish, judge, start, type Command, type Undisturbed } from './commands.ts'
import type { Sources } from './sources.ts'
import { eachCase, type Part, type Random } from './trial.ts'

const signals = ['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGINT', 'SIGSTOP'] as const

export function interruptParts(sources: Sources, undisturbed: Undisturbed): Part[] {
  return Object.values(commandsOf(sources)).map((command) =>
    eachCase(`signals/${command.name}`, command.name === 'train' ? 2 : 1, async (random, dir) => {
      const { answer, ms } = await undisturbed.of(command)
      const times = 1 + random.below(3)
      const sent: string[] = []
      for (let i = 0; i < times; i++) sent.push(await interrupt(command, dir, random, answer, ms))
      const found = await command.answer(dir)
      // What stands there under its final name is whole.
      if (found !== undefined && found !== answer) throw new Error(`after ${sent.join(', ')}: another answer`)
      await finish(command, dir, answer).catch((error: unknown) => {
        throw new Error(`after ${sent.join(', ')}: ${(error as Error).message}`)
      })
      return sent.every((one) => one === 'too late') ? 'done before' : 'resumed'
    }),
  )
}

/** Starts a command and sends it a signal. */
async function interrupt(command: Command, dir: string, random: Random, answer: string, ms: number): Promise<string> {
  const [signal, after, pause] = [random.pick(signals), random.between(0, ms), random.between(50, 800)]
  const { child, ended } = start(command, dir)
  await Promise.race([setTimeout(after), ended])
  if (child.exitCode !== null) return 'too late'
  child.kill(signal)
  const told = `${signal} after ${after.toFixed(0)} ms`
  if (signal === 'SIGSTOP') {
    await setTimeout(pause)
    child.kill('SIGCONT')
  }
  const { code, err } = await ended
  // Before the program listens to it, a signal ends it as the system does.
  const right: unknown[] = signal === 'SIGSTOP' ? [0] : [0, signal, 128 + constants.signals[signal]]
  if (!right.includes(code)) throw new Error(`${told}: it ended with ${code}: ${err}`)
  if (code === 0) await judge(command, dir, { code, err }, answer)
  else if (err !== '') throw new Error(`${told}: it ended with ${code} and printed ${JSON.stringify(err)}`)
  return told
}

/** Two commands at once in one place: each gives its right answer, or says in one sentence why it does not. */
import { setTimeout } from 'node:timers/promises'
import { join } from 'node:path'
import { commandsOf, finish, judge, start, type Command, type Undisturbed } from './commands.ts'
import type { Sources } from './sources.ts'
import { eachCase, type Part } from './trial.ts'

export function pairParts(sources: Sources, undisturbed: Undisturbed): Part[] {
  const { train, metrics, classifier } = commandsOf(sources)
  const pairs: [name: string, first: Command, second: Command][] = [
    ['train and train', train, train],
    ['train and metrics', train, sharing(metrics)],
    ['classifier and train', classifier, train],
    ['metrics and metrics', metrics, metrics],
    ['classifier and classifier', classifier, classifier],
  ]
  return pairs.map(([name, ...pair]) =>
    eachCase(`pairs/${name}`, 1, async (random, dir) => {
      const known = await Promise.all(pair.map((command) => undisturbed.of(command)))
      // Most collide when they begin together.
      const between = random.chance(0.6) ? random.between(0, 100) : random.between(0, known[0]!.ms)
      const first = start(pair[0], dir)
      await setTimeout(between)
      const second = start(pair[1], dir)
      const ended = await Promise.all([first.ended, second.ended])
      const told: string[] = []
      for (const [i, command] of pair.entries()) told.push(await judge(command, dir, ended[i]!, known[i]!.answer))
      if (!told.includes('done')) throw new Error(`neither ended well: ${ended.map(({ err }) => err).join(' ')}`)
      for (const [i, command] of pair.entries()) await finish(command, dir, known[i]!.answer)
      return told.includes('refused') ? 'one refused' : 'both done'
    }),
  )
}

/** Metrics that prepare their images where training does. */
function sharing(metrics: Command): Command {
  const args = (dir: string) =>
    metrics.args(dir).map((arg) => (arg === join(dir, 'cache') ? join(dir, 'results') : arg))
  return { ...metrics, args }
}

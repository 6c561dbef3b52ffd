/** What is wrong with a command line, as one sentence: commander's complaints, and names that other programs have. */
import type { Command, CommanderError } from 'commander'
import { otherCommands, otherFlag } from './other-names.ts'

/**
 * Answers the first flag that is known from elsewhere with its name here.
 *
 * @param args what stands behind the command's name
 * @throws RangeError if there is such a flag
 */
export function answerOtherNames(command: Command, args: readonly string[]): void {
  const group = command.parent?.parent ? `${command.parent.name()} ` : ''
  const known = new Set(command.options.flatMap(({ long, short }) => [long, short]))
  for (const arg of args) {
    const flag = /^--?[a-z][^=\s]*/i.exec(arg)?.[0]
    if (flag === undefined || known.has(flag)) continue
    const answer = otherFlag(group + command.name(), flag)
    if (answer !== undefined) throw new RangeError(`${flag}: ${answer}`)
  }
}

/**
 * What commander complains of, in the form of all other errors.
 *
 * @param args the command line, from the command's name on
 */
export function complaintOf({ code, message }: CommanderError, args: readonly string[] = []): string {
  const text = message.replace(/^error: /, '').replace(/\.$/, '')
  const near = /\(Did you mean (?:one of )?(.*)\?\)$/.exec(text)?.[1]
  const name = /'(?:-\w, )?(.*?)(?: .*?)?'/.exec(text)?.[1] ?? ''
  switch (code) {
    case 'commander.unknownOption':
      return `${name}: unknown option; ${near ? `did you mean ${near}?` : '--help lists those of this command'}`
    case 'commander.unknownCommand':
      return `${name}: ${otherCommands[name] ?? `unknown command; ${near ? `did you mean ${near}?` : 'stylegan --help lists them'}`}`
    case 'commander.missingMandatoryOptionValue':
    case 'commander.missingArgument':
      return `${name}: it must be given, got nothing; --help says what it takes`
    case 'commander.optionMissingArgument':
      return `${name}: a value must follow, got nothing; --help says what it takes`
    case 'commander.excessArguments': {
      const [, most, got] = /Expected (\d+) arguments? but got (\d+)$/.exec(text) ?? []
      const isFolder = args[0] === 'train' && args[1] !== undefined && !args[1].startsWith('-')
      const remedy = isFolder ? `did you mean --data ${args[1]}?` : 'a value with spaces needs quotes'
      return `${name}: ${most === '0' ? 'flags alone' : `at most ${most} without a flag`} are expected, got ${Number(got) - Number(most)} more; ${remedy}`
    }
    case 'commander.invalidArgument': {
      const [, value, why] = /argument '([\s\S]*)' is invalid\. ([\s\S]*)$/.exec(text) ?? []
      const choices = /^Allowed choices are (.*)$/.exec(why ?? '')?.[1]
      return `${name}: ${choices ? `one of ${choices} is expected, got '${value}'` : why}`
    }
    default:
      return text
  }
}

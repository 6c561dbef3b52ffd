/** Whether a command may write its file, asked before it works. */
import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { placeToWrite } from '../files/write-atomic.ts'
import { isTrainingSnapshot } from '../training/snapshot-metadata.ts'

/**
 * Finds whether a file may be written under this name.
 *
 * @param kinds how the name may end
 * @param inputs files that the command reads
 * @throws Error if the name ends otherwise, or if an input, a snapshot of a training or no regular file is there
 */
export async function checkOutput(
  output: string,
  kinds: readonly string[],
  inputs: readonly string[] = [],
): Promise<void> {
  const endings = kinds.join(', ')
  if (output === '') throw new Error(`--output: a file is expected to write to, got ''; give a name with ${endings}`)
  const place = await placeToWrite(output)
  const ending = extname(output).toLowerCase()
  if (!kinds.includes(ending)) {
    throw new Error(`${output}: a name that ends in ${endings} is expected, got '${ending}'; give another path`)
  }
  const found = await stat(place, { bigint: true }).catch(() => undefined)
  if (found === undefined) return
  for (const input of inputs) {
    // Whoever reads the input says that it is missing.
    const read = await stat(input, { bigint: true }).catch(() => undefined)
    if (read?.dev !== found.dev || read.ino !== found.ino) continue
    throw new Error(`${output}: another file than the one that is read is expected, got the same; give another path`)
  }
  if (await isTrainingSnapshot(place)) {
    throw new Error(
      `${output}: a file that may be replaced is expected, got a snapshot of a training; give another path`,
    )
  }
}

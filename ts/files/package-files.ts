/** Files of this package, found from dist/, from ts/ and from the program, which is one file. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Where a file of this package lies. Like every module that is two folders deep, this one has its root at the same place. */
export const packageFile = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** The version of this package. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version
}

/** Trained networks that the package carries, by name. */
import { packageFile } from '../files/package-files.ts'

const files: Readonly<Record<string, string>> = { avatars: 'weights/avatars.safetensors' }

export const builtInNames = Object.keys(files)

/**
 * Where a network of the package lies; undefined if the text is no name of one. A name means the same in every folder, as a
 * module's does in Node.js: a file or folder of that name is written `./avatars`.
 */
export function builtInNetwork(name: string): string | undefined {
  return Object.hasOwn(files, name) ? packageFile(files[name]!) : undefined
}

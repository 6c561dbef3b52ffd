/** The built page: a few files that are read once, so that no request can lead elsewhere. */
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { packageFile } from '../../files/package-files.ts'

export interface PageFile {
  readonly bytes: Uint8Array
  readonly type: string
  /** Named by its content: it never changes. */
  readonly isFixed: boolean
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}

/** Where `npm run build` puts the page, also for code that runs from ts/. */
const built = packageFile('dist/studio/page/')

/** @throws Error if the page is not built */
export async function readPage(folder = built): Promise<ReadonlyMap<string, PageFile>> {
  const names: string[] = await readdir(folder, { recursive: true }).catch(() => [])
  if (!names.includes('index.html')) throw new Error('the page of the studio is not built; run npm run build')
  const files = new Map<string, PageFile>()
  for (const name of names) {
    const type = types[extname(name)]
    if (type === undefined) continue
    const path = `/${name.replaceAll('\\', '/')}`
    files.set(path, { bytes: await readFile(join(folder, name)), type, isFixed: path.startsWith('/assets/') })
  }
  files.set('/', files.get('/index.html')!)
  return files
}

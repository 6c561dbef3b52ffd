/** What `dataset inspect` prints and draws. */
import { open } from 'node:fs/promises'
import type { Inspection, Repeat, Sample } from '../data/inspect.ts'
import { shown } from '../files/shown.ts'
import { formatBytes, formatTime, plural } from '../files/units.ts'
import { tileImages } from '../figures/grid.ts'
import { drawnHeadBytes, encodeDrawnPng, isDrawnPng } from '../native/index.ts'
import { makeFolder } from './arguments.ts'
import { writeAtomic } from '../files/write-atomic.ts'
import { checkOutput } from '../runs/outputs.ts'

/** Entries of a list that are printed; `--json` has more. */
const mostPrinted = 5

/** An inspection as lines of text. */
export function report(found: Inspection): string[] {
  const { count, kind, classes, noLabels, resolution, below, profiles } = found
  const line = (name: string, text: string) => `${name.padEnd(18)} ${text}`
  const list = (items: readonly string[], total: number) => [
    ...items.slice(0, mostPrinted).map((item) => `  ${shown(item)}`),
    ...(total > mostPrinted ? [`  and ${total - mostPrinted} more`] : []),
  ]
  const repeats = (images: readonly Repeat[]) => images.map(({ image, of }) => `${image} is ${of}`)
  const some = (name: string, counted: { count: number; images: readonly string[] }) => [
    line(name, String(counted.count)),
    ...list(counted.images, counted.count),
  ]
  const lines = [
    line('Source', `${shown(found.source)} (${kind})`),
    line('Images', String(count)),
    line('Formats', counts(found.formats)),
    line('Sizes', counts(found.sizes)),
    line('Aspects', counts(found.aspects)),
    line(
      'Colours',
      counts(found.colours) + (profiles > 0 ? `; ${profiles} with a colour profile, see --colour-profile` : ''),
    ),
    ...some('Duplicates', { ...found.duplicates, images: repeats(found.duplicates.images) }),
    ...some('Near duplicates', { ...found.nearDuplicates, images: repeats(found.nearDuplicates.images) }),
    ...some('Unreadable', found.unreadable),
    ...(Object.keys(found.leftOut).length > 0 ? [line('Other files', counts(found.leftOut))] : []),
    line('Classes', classes ? `${Object.keys(classes).length}: ${counts(classes)}` : 'none'),
    ...(classes || noLabels === null ? [] : [`  ${shown(noLabels)}`]),
  ]
  if (count === 0) return lines
  const share = ((100 * below) / count).toFixed(1)
  return [
    ...lines,
    line(
      `Below ${resolution}`,
      `${below} ${plural(below, 'image')} (${share} %) ${plural(below, 'has', 'have')} a shorter side`,
    ),
    line(
      'Prepared',
      `${formatBytes(found.bytes)} at ${resolution}x${resolution}, in about ${formatTime(found.seconds)}`,
    ),
  ]
}

/** `3 JPEG, 1 PNG`, from the most frequent. */
function counts(of: Readonly<Record<string, number>>): string {
  const entries = Object.entries(of)
  if (entries.length === 0) return 'none'
  const most = 8
  const listed = entries.slice(0, most).map(([name, count]) => `${count} × ${shown(name)}`)
  return listed.join(', ') + (entries.length > most ? `, and ${entries.length - most} more kinds` : '')
}

/** Columns of a contact sheet. */
const columns = 8

/** @throws Error if another file than a picture of this program is where the contact sheet would go */
export async function checkContactSheet(path: string): Promise<void> {
  await checkOutput(path, ['.png'])
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return
  try {
    const head = new Uint8Array(drawnHeadBytes)
    await file.read(head, 0, head.length, 0)
    if (isDrawnPng(head)) return
  } finally {
    await file.close()
  }
  throw new Error(
    `${shown(path)}: nothing, or a picture that stylegan drew, is expected there, got another file; give another --contact-sheet, or --no-contact-sheet`,
  )
}

/** Writes some images as training would see them. */
export async function writeContactSheet(path: string, { pixels, count, side, channels }: Sample): Promise<void> {
  const shape = { n: count, h: side, w: side, c: channels }
  const sheet = tileImages(pixels, shape, Math.min(columns, count), 4)
  await makeFolder(path)
  await writeAtomic(path, await encodeDrawnPng(sheet.pixels, sheet.width, sheet.height, channels))
}

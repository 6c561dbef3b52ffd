/** What the page shows as commands and as code: a state of the studio, to be had again without it. */
import type { Copied, Look, NetworkInfo, Shift, Walk } from './protocol.ts'

/** A word as a POSIX shell reads it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}

export const commandLine = (words: readonly string[]): string => ['stylegan', ...words].map(quoted).join(' ')

/** 0, 1, 2, 5 as `0-2+5`. */
export function layersText(layers: readonly number[]): string {
  const parts: [first: number, last: number][] = []
  for (const layer of [...layers].sort((a, b) => a - b)) {
    const open = parts.at(-1)
    if (open && layer <= open[1] + 1) open[1] = layer
    else parts.push([layer, layer])
  }
  return parts.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join('+')
}

const mixText = (mix: readonly Copied[]) => mix.map(({ seed, layers }) => `${seed}:${layersText(layers)}`).join(',')
const shiftsText = (shifts: readonly Shift[]) =>
  shifts.map(({ direction, by, layers }) => `${direction}:${by}:${layersText(layers)}`).join(',')

/** Flags of truncation and class; a value that begins with a minus is no flag of its own. */
function sampling({ psi, cutoff, class: one }: Look | Walk, { canTruncate, labelSize }: NetworkInfo): string[] {
  const truncation = canTruncate ? [`--trunc${psi < 0 ? '=' : ' '}${psi}`, `--trunc-cutoff ${cutoff}`] : []
  const words = truncation.flatMap((text) => text.split(' '))
  return labelSize > 0 && one !== undefined ? [...words, '--class', String(one)] : words
}

/** The w of a projection. */
const wFile = (projected: string, { outdir }: NetworkInfo) => `${outdir}/${projected}/projected_w.npz`

/** The command that writes the picture of a look. */
export function lookCommand(look: Look, info: NetworkInfo): string {
  const { seed, projected, mix, shifts, noise, noiseSeed, noiseStrength } = look
  const words = ['generate', '--network', info.path]
  if (projected === undefined) words.push('--seeds', String(seed), ...sampling(look, info))
  // Only what is mixed in is truncated.
  else words.push('--projected-w', wFile(projected, info), ...(mix.length > 0 ? sampling(look, info) : []))
  if (mix.length > 0) words.push('--mix', mixText(mix))
  if (shifts.length > 0) words.push('--shift', shiftsText(shifts))
  if (info.hasNoise) {
    if (noise !== 'const') words.push('--noise-mode', noise)
    if (noise === 'random' && noiseSeed !== undefined) words.push('--noise-seed', String(noiseSeed))
    if (noise !== 'none' && noiseStrength.length > 0) words.push('--noise-strength', noiseStrength.join(','))
  }
  return commandLine(words)
}

/** The program that writes the picture of a look. */
export function lookCode(look: Look, info: NetworkInfo): string {
  const { seed, projected, psi, cutoff, class: one, mix, shifts, noise, noiseSeed, noiseStrength } = look
  const values = { seed, ...(info.canTruncate && { psi, cutoff }), ...(info.labelSize > 0 && { class: one }) }
  const noises = {
    noise,
    ...(noise === 'random' && noiseSeed !== undefined && { noiseSeed }),
    ...(noise !== 'none' && noiseStrength.length > 0 && { noiseStrength }),
  }
  const all = {
    ...values,
    ...(mix.length > 0 && { mix }),
    ...(shifts.length > 0 && { shifts }),
    ...(info.hasNoise && noises),
  }
  const own = projected === undefined ? [] : [`  projected: await readProjected(${literal(wFile(projected, info))}),`]
  const lines = [...own, ...Object.entries(all).map(([key, value]) => `  ${key}: ${literal(value)},`)]
  const name = projected === undefined ? `seed${String(seed).padStart(4, '0')}` : 'proj00'
  return [
    "import { writeFile } from 'node:fs/promises'",
    `import { drawLook, loadGenerator${projected === undefined ? '' : ', readProjected'} } from 'stylegan'`,
    '',
    `const G = await loadGenerator(${literal(info.path)})`,
    'const images = await drawLook(G, {',
    ...lines,
    '})',
    `await writeFile('${name}.png', await images.png(0))`,
    '',
  ].join('\n')
}

/** A value as TypeScript. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, one]) => `${key}: ${literal(one)}`)
      .join(', ')} }`
  }
  if (typeof value !== 'string') return String(value)
  return `'${JSON.stringify(value)
    .slice(1, -1)
    .replaceAll('\\"', '"')
    .replaceAll("'", String.raw`\'`)}'`
}

/** The command that writes a walk as a video. */
export function walkCommand(walk: Walk, info: NetworkInfo, output: string): string {
  const { seeds, space, easing, framesPerKey, fps } = walk
  const words = ['video', '--network', info.path, '--seeds', seeds.join(','), ...sampling(walk, info)]
  const way = ['--space', space, '--easing', easing, '--w-frames', String(framesPerKey), '--fps', String(fps)]
  return commandLine([...words, ...way, '--output', output])
}

/** The program that draws a walk. */
export function walkCode(walk: Walk, info: NetworkInfo): string {
  const { seeds, psi, cutoff, class: one, space, easing, framesPerKey, fps } = walk
  const sampling = {
    ...(info.canTruncate && { truncationPsi: psi, truncationCutoff: cutoff }),
    ...(info.labelSize > 0 && one !== undefined && { classes: [one] }),
  }
  const scale = Math.ceil(128 / info.resolution)
  const all = { seeds, columns: 1, rows: 1, framesPerKey, easing, space, ...sampling, scale }
  return [
    "import { writeFile } from 'node:fs/promises'",
    "import { animatedPng, loadGenerator, walk } from 'stylegan'",
    '',
    `const G = await loadGenerator(${literal(info.path)})`,
    'const frames = walk(G, {',
    ...Object.entries(all).map(([key, value]) => `  ${key}: ${literal(value)},`),
    '})',
    `await writeFile('walk.png', await animatedPng(frames, ${fps}))`,
    '',
  ].join('\n')
}

/** The layers of a network by what they decide: the paper's coarse, middle and fine styles (StyleGAN, Fig. 3). */
export function layerGroups(layers: number): { readonly name: string; readonly layers: readonly number[] }[] {
  const range = (first: number, end: number) =>
    Array.from({ length: Math.max(0, Math.min(end, layers) - first) }, (_, i) => first + i)
  const groups = [
    { name: 'Coarse', layers: range(0, 4) },
    { name: 'Middle', layers: range(4, 8) },
    { name: 'Fine', layers: range(8, layers) },
  ]
  return groups.filter((group) => group.layers.length > 0)
}

/** Side of the images that a layer works on. */
export const sideOfLayer = (layer: number): number => 2 ** (Math.floor(layer / 2) + 2)

/** Networks of other code bases through the commands: imported, trained on, drawn from, exported. */
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import test from 'ava'
import { openCheckpoint } from '../../ts/checkpoints/index.ts'
import { readMetadata } from '../../ts/files/safetensors.ts'
import { folder as fixtures } from '../support/checkpoints.ts'
import { flagsOf, stylegan, type Result } from '../support/command.ts'
import { folder } from '../support/folder.ts'
import { tinyDataset } from '../support/tiny.ts'

const at = (file: string) => new URL(file, fixtures).pathname

async function run(...args: readonly string[]): Promise<Result> {
  const result = await stylegan(args)
  if (result.code !== 0) throw new Error(result.err.trim().replace(/^stylegan: /, ''))
  return result
}

const starts: readonly [file: string, more: readonly string[], whole: boolean][] = [
  ['nvlabs/fused16/network.pkl', [], true],
  ['nvlabs/progan-v2/network.pkl', [], true],
  ['lernapparat/for-g-all-64/random-64x64.for_g_all.pt', [], false],
  ['huangzh13/linear32/GAN_GEN_SHADOW_3_7.pth', [], false],
  ['rosinality/no-activate/train_step-4.model', ['--resolution', '16'], true],
  ['siskonemilia/trained/trained.pth', [], true],
]
for (const [file, more, whole] of starts) {
  test(`${file} is imported, trained on for a step ${whole ? 'with its own' : 'with a fresh'} discriminator, and drawn from`, async (t) => {
    const outdir = await folder()
    const imported = join(outdir, 'imported.safetensors')
    const { out } = await run('import', at(file), ...more, '--output', imported)
    t.regex(out, /^Licence +\S/m)
    const { options, licence } = await openCheckpoint([imported])
    const { config, resolution, fmapBase, fmapMax, latentSize, mappingLayers } = options
    const flags = { config, resolution, fmapBase, fmapMax, latentSize, mappingLayers }
    const short = { batch: 4, kimg: 0.004, metrics: 'none', lodInitialResolution: resolution }
    const begin = ['train', '--preset', 'demo', '--data', await tinyDataset(), '--outdir', outdir]
    const trained = await run(...begin, '--resume', imported, ...flagsOf({ ...flags, ...short }))
    t.is(/has no discriminator: a fresh one is made/.test(trained.out), !whole, trained.out)
    t.regex(trained.out, /^tick 1 /m)
    await run('generate', '--network', outdir, '--seeds', '1', '--outdir', outdir)
    t.true((await readdir(outdir)).includes('seed0001.png'))
    // What was trained further is still theirs.
    const exported = join(outdir, 'exported.safetensors')
    await run('export', '--network', outdir, '--output', exported)
    t.is((await readMetadata(exported))['licence'], licence)
  })
}

test('every format of export is written under its own name, and one for PyTorch brings its module', async (t) => {
  const network = at('nvlabs/labels16/network.pkl')
  const dir = await folder()
  const { out } = await run('export', '--network', network, '--output', join(dir, 'a.safetensors'))
  t.is(out, `${join(dir, 'a.safetensors')}\n${join(dir, 'stylegan_torch.py')}\n`)
  for (const format of ['npz', 'onnx']) {
    const path = join(dir, `a.${format}`)
    t.is((await run('export', '--network', network, '--format', format, '--output', path)).out, `${path}\n`)
  }
  const graph = (await readFile(join(dir, 'a.onnx'))).toString('latin1')
  t.true(graph.includes('CC BY-NC 4.0'))
})

test("a file of another origin that has the PyTorch module's name stays, and nothing is written", async (t) => {
  const dir = await folder()
  const module = join(dir, 'stylegan_torch.py')
  await writeFile(module, 'mine')
  const args = ['export', '--network', at('nvlabs/labels16/network.pkl'), '--output', join(dir, 'a.safetensors')]
  await t.throwsAsync(run(...args), {
    message: `${module}: no file or this program's own stylegan_torch.py is expected, got another file; move it away, or give --output another folder`,
  })
  t.deepEqual(await readdir(dir), ['stylegan_torch.py'])
  t.is(await readFile(module, 'utf8'), 'mine')
  await copyFile(new URL('../../export/stylegan_torch.py', import.meta.url), module)
  await t.notThrowsAsync(run(...args), 'its own is replaced')
})

test('options of one format are refused with another', async (t) => {
  const args = ['export', '--network', at('nvlabs/labels16/network.pkl'), '--format', 'npz']
  for (const option of [
    ['--input', 'w'],
    ['--noise-mode', 'input'],
    ['--trunc', '0.5'],
    ['--trunc-cutoff', 'input'],
    ['--pixels', 'bytes'],
  ]) {
    const message = `${option[0]}: it belongs to --format onnx, got npz; leave it out`
    await t.throwsAsync(run(...args, ...option), { message })
  }
  const wrong = run(...args.slice(0, 3), '--format', 'onnx', '--trunc', 'inputs')
  await t.throwsAsync(wrong, { message: /a number is expected, got 'inputs'/ })
})

test('names of files are printed without terminal escapes', async (t) => {
  const dir = join(await folder(), '\u001b[31mred')
  await mkdir(dir)
  const network = join(dir, basename('network.pkl'))
  await copyFile(at('nvlabs/labels16/network.pkl'), network)
  const results = [
    await run('import', network, '--output', join(dir, 'a.safetensors')),
    await run('export', '--network', network, '--output', join(dir, 'b.safetensors')),
  ]
  for (const { out } of results) {
    t.false(out.includes('\u001b'))
    t.true(out.includes('\\u001b[31mred'))
  }
})

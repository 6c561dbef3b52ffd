/** What a program gives to `train` is checked before anything is made. */
import { readdir } from 'node:fs/promises'
import test from 'ava'
import { train, type TrainHooks } from '../../ts/runs/loop.ts'
import { resolveConfig, type TrainConfig } from '../../ts/training/config.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

const layer = { name: 'same', apply: () => {} }
const loss = { name: 'mine', G: () => {}, D: () => {} }

const refused: readonly (readonly [hooks: unknown, message: RegExp])[] = [
  [
    { layer: { apply: layer.apply } },
    /^layer: an object with a name and the function apply is expected, got no name; /,
  ],
  [{ layer: { ...layer, name: '' } }, /^layer: .* got name ""; /],
  [{ layer: { ...layer, name: 'a/b' } }, /^layer: .*"a\/b"/],
  [{ layer: { name: 'same' } }, /^layer 'same': .* got nothing as apply; give the function apply$/],
  [{ loss: { ...loss, name: undefined } }, /^loss: an object with a name and the functions G and D .* got no name; /],
  [{ loss: { ...loss, D: 1 } }, /^loss 'mine': .* got 1 as D; give the function D$/],
  [{ loss: null }, /^loss: .* is expected, got null; leave loss out/],
  [{ maxMegapixels: NaN }, /^maxMegapixels: a number above 0 is expected, got NaN$/],
  [{ image: [] }, /^unknown hook "image"; did you mean images\?$/],
  [{ images: null }, /^images: an array or an iterable of images is expected, got null; /],
  [null, /^hooks: an object of hooks is expected, got null$/],
]

async function attempt(hooks: TrainHooks, more: Partial<TrainConfig> = {}): Promise<string> {
  const outdir = await folder()
  const config = { ...resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir }), ...more }
  try {
    await train(config, hooks).next()
  } catch (error) {
    return [(error as Error).message, ...(await readdir(outdir))].join('\n')
  }
  return 'it trains'
}

test('hooks that are unknown, null, or without what they need are refused', async (t) => {
  for (const [hooks, message] of refused) t.regex(await attempt(hooks as TrainHooks), message)
})

test('a configuration that was changed after its checks is checked again', async (t) => {
  t.regex(await attempt({}, { aug: 'fixed', p: NaN }), /^p: .* is expected, got NaN/)
  t.regex(await attempt({}, { kimg: -1 }), /^kimg: .* got -1/)
  t.regex(await attempt({}, { kimg: Infinity }), /^kimg: .* got Infinity/)
  t.regex(await attempt({}, { desc: '../../esc' }), /^desc: a name of letters/)
  await t.throwsAsync(train(null as unknown as TrainConfig).next(), { instanceOf: RangeError })
})

test('a device may be named', async (t) => {
  t.regex(await attempt({ device: 'gpu9' }), /^device: .*'gpu9'/)
  t.is(await attempt({ device: 'cpu' }), 'it trains')
})

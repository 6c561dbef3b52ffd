/** A layer of one's own, with weights that are trained: each feature map at 8×8 has a gain. It surrounds the package's layer. */
import { loadGenerator, resolveConfig, train } from 'stylegan'
import { constant, featureMaps, get, type CustomLayer } from 'stylegan/networks'

const [data = 'builtin:avatars', outdir = 'results', kimg = '8'] = process.argv.slice(2)
const layer: CustomLayer = {
  name: 'gain',
  G: (options) => [constant('G_synthesis/8x8/Gain', [featureMaps(options, 2)], 1)],
  apply: ({ name, params, x, original }) => {
    const maps = original(x)
    return name === 'G_synthesis/8x8/Conv1' ? maps.mul(get(params, 'G_synthesis/8x8/Gain')) : maps
  },
}
for await (const event of train(resolveConfig('demo', { data, outdir, kimg: Number(kimg) }), { layer }))
  if (event.type === 'end') console.log((await loadGenerator(outdir, { layer })).options.layer?.name)
// gain

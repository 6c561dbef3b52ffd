/** A loss of one's own: least squares (Mao et al. 2017). */
import { resolveConfig, train } from 'stylegan'
import type { CustomLoss } from 'stylegan/networks'

const [data = 'builtin:avatars', outdir = 'results', kimg = '8'] = process.argv.slice(2)
const loss: CustomLoss = {
  name: 'lsgan',
  G: (fakeScores) => fakeScores.sub(1).square().mean(),
  D: (critic, reals, fakes) => {
    const [realScores, fakeScores] = [critic(reals), critic(fakes)]
    return { loss: realScores.sub(1).square().add(fakeScores.square()).mean(), realScores, fakeScores }
  },
}
for await (const event of train(resolveConfig('demo', { data, outdir, kimg: Number(kimg), metrics: 'none' }), { loss }))
  if (event.type === 'tick') console.log('D loses', event.stats['Loss/D']?.toFixed(3))
// D loses 0.391

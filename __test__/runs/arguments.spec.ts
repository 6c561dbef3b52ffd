/** What programs without types give to the functions of the package. */
import test from 'ava'
import * as api from '../../ts/index.ts'
import * as networks from '../../ts/networks.ts'
import * as tensors from '../../ts/tensor.ts'

type Any = (...given: unknown[]) => unknown
const { loadGenerator, project, findDirections, chooseConfig, estimateRun, resolveConfig } = api as unknown as Record<
  string,
  Any
>
const { truncationFigure, noiseComponentsFigure, noiseDetailFigure, uncuratedFigure } = api as unknown as Record<
  string,
  Any
>
const { createState, openDataset, readLabels, trainingStep, scheduleOptions } = networks as unknown as Record<
  string,
  Any
>
const { adam, grad } = tensors as unknown as Record<string, Any>
const config = resolveConfig!('demo')
const G = await api.loadGenerator('avatars')
const images = G.images.bind(G) as Any
/** Runs a function of events up to its first. */
const first = (events: unknown) => (events as AsyncGenerator).next()

const refused: readonly (readonly [call: () => unknown, message: RegExp])[] = [
  [() => loadGenerator!(), /^network: the path of a network is expected, got nothing$/],
  [() => loadGenerator!(5), /^network: .* got 5$/],
  [() => loadGenerator!(null), /^network: .* got null$/],
  [() => loadGenerator!('avatars', 'cpu'), /^options: an object of options is expected, got "cpu"$/],
  [() => loadGenerator!('avatars', { devise: 'cpu' }), /^unknown option "devise"; did you mean device\?$/],
  [() => loadGenerator!('avatars', { device: 3 }), /^device: a name such as cpu or auto is expected, got 3$/],
  [
    () => createState!('cpu', config),
    /^device: an open device is expected, got "cpu"; Device\.open opens one by name$/,
  ],
  [() => createState!(G.Gs.device), /^config: what resolveConfig gives is expected, got nothing$/],
  [() => chooseConfig!(), /^options: an object of options is expected, got nothing$/],
  [() => chooseConfig!({ dat: 'x' }), /^unknown option "dat"; did you mean data\?$/],
  [() => resolveConfig!('stylegan'), /^data: .* got nothing; name one, .* any text, .* where train is given images$/],
  [() => first(project!()), /^options: an object of options is expected, got nothing$/],
  [() => first(project!({})), /^network: the path of a network is expected, got nothing$/],
  [() => first(project!({ network: 'avatars' })), /^target: the path of an image is expected, got nothing$/],
  [() => first(project!({ network: 'avatars', target: 'x', signal: 1 })), /^unknown option "signal"; /],
  [() => first(findDirections!()), /^options: an object of options is expected, got nothing$/],
  [() => first(findDirections!({ network: 'avatars' })), /^classifiers: the folder of .* is expected, got nothing$/],
  [() => estimateRun!(), /^config: what resolveConfig gives is expected, got nothing$/],
  [() => truncationFigure!(G), /^truncationFigure: the lists seeds and psis are expected, got nothing$/],
  [() => noiseComponentsFigure!(G), /^noiseComponentsFigure: the list seeds is expected, got nothing$/],
  [() => noiseDetailFigure!(G, { seeds: 1 }), /^noiseDetailFigure: the list seeds is expected, got \{ seeds \}$/],
  [() => uncuratedFigure!(G), /^uncuratedFigure: an object with seed is expected, got nothing$/],
  [() => uncuratedFigure!(G, {}), /^seed: a whole number from 0 is expected, got nothing$/],
  [() => networks.Minibatches.open(undefined as never), /^config: what resolveConfig gives is expected, got nothing$/],
  [() => openDataset!('x'), /^options: an object of options is expected, got "x"$/],
  [() => openDataset!({ data: 'x' }), /^cache: a folder for what is prepared is expected, got nothing$/],
  [() => openDataset!({ cache: 'x' }), /^a path is expected, got nothing; give a folder of images, /],
  [() => readLabels!('x'), /^dataset: what openDataset gives is expected, got "x"$/],
  [() => trainingStep!(), /^state: what createState gives is expected, got nothing$/],
  [() => scheduleOptions!(), /^config: what resolveConfig gives is expected, got nothing$/],
  [() => adam!(), /^tensors: an object is expected, got undefined$/],
  [() => grad!(), /^inputs: a list of tensors is expected, got undefined$/],
  [() => images('x'), /^options: an object of options is expected, got "x"$/],
  [() => images({ seeds: 1, trunc: 0.1 }), /^unknown option "trunc"; did you mean psi\?$/],
  [() => images({ seeds: 1, noiseMode: 'foo' }), /^unknown option "noiseMode"; did you mean noise\?$/],
  [() => images({ seeds: 1, mix: 'x' }), /^unknown option "mix"; /],
]

test('arguments that are missing, of another kind, or unknown by name are refused in a sentence', async (t) => {
  for (const [call, message] of refused) {
    const error = await t.throwsAsync(async () => call(), undefined, message.source)
    t.regex(error.message, message)
  }
})

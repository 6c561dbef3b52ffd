/**
 * Expected numbers of whole networks, from an independent float64 implementation (PyTorch, checked with TensorFlow's own
 * operators): `fixtures/oracle`. Full-size images there, native ones here: see `fullSize`.
 */
import { readFile } from 'node:fs/promises'
import type { ExecutionContext } from 'ava'
import { type Algorithm, Device, grad, Rng, scope, type Tensor } from '../../ts/native/index.ts'
import { discriminator, discriminatorSpecs } from '../../ts/networks/discriminator.ts'
import { generate, generateForTraining, generatorSpecs } from '../../ts/networks/generator.ts'
import { downscale, upscale } from '../../ts/networks/layers.ts'
import { mapping } from '../../ts/networks/mapping.ts'
import { createNetwork, type Network, type NetworkOptions, type Params, tracked } from '../../ts/networks/params.ts'
import { dLogisticR1, dWganGp, fadeReals, gLogisticNonsaturating, gWgan, r1Penalty } from '../../ts/training/losses.ts'
import { readSafetensors, type HostTensor } from '../../ts/files/safetensors.ts'

export const cases = ['rgb-16', 'rgb-32', 'labels-16', 'gray-fused-16', 'rgb-128'] as const
export type CaseName = (typeof cases)[number]

interface Config {
  network: Record<string, number | boolean | 'auto'>
  lods: number[]
  mix_cutoff: Record<string, number>
  truncations: [psi: number, cutoff: number][]
  r1_gamma: number
  wgan_lambda: number
  wgan_epsilon: number
  wgan_target: number
  ema_beta: number
  adam: { lr: number; beta1: number; beta2: number; epsilon: number; grad_factors: number[] }
}

export interface Case {
  readonly device: Device
  readonly config: Config
  readonly options: NetworkOptions
  readonly G: Network
  readonly D: Network
  readonly input: (name: string) => Tensor
  readonly labels: Tensor | undefined
  readonly noise: Tensor[]
  readonly expected: ReadonlyMap<string, HostTensor>
}

/** Computed values by their names in `expected.safetensors`. */
export type Results = Map<string, Tensor>

/** What these functions need of ava; `npm run gpu-check` has none. */
type Assertions = Pick<ExecutionContext, 'true' | 'deepEqual'>

const folder = new URL('../fixtures/oracle/', import.meta.url)

export async function openCase(name: CaseName, device: Device): Promise<Case> {
  const config = JSON.parse(await readFile(new URL(`${name}/config.json`, folder), 'utf8')) as Config
  const read = async (file: string) => {
    return (await readSafetensors(new URL(`${name}/${file}.safetensors`, folder).pathname)).tensors
  }
  const [params, inputs, expected] = [await read('params'), await read('inputs'), await read('expected')]
  const camel = (key: string) => key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
  const network = Object.fromEntries(Object.entries(config.network).map(([key, value]) => [camel(key), value]))
  const options = { fmapDecay: 1, mappingLrmul: 0.01, mbstdGroup: 4, ...network } as unknown as NetworkOptions
  const upload = ({ values, shape }: HostTensor) => device.tensor(values, shape)
  const input = (key: string) => upload(inputs.get(key)!)
  const noise = Array.from({ length: 2 * Math.log2(options.resolution) - 2 }, (_, i) => input(`noise${i}`))
  const load = (prefix: string, specs: ReturnType<typeof generatorSpecs>) => {
    const loaded = createNetwork(device, specs, new Rng(0))
    const names = [...params.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
    if (names.sort().join() !== [...loaded.params.keys()].sort().join()) {
      throw new Error(`${name}: the variables of ${prefix} are not those of the fixture`)
    }
    scope(() => loaded.params.forEach((tensor, key) => tensor.assign(upload(params.get(prefix + key)!))))
    return loaded
  }
  const G = load('G/', generatorSpecs(options))
  const D = load('D/', discriminatorSpecs(options))
  const labels = options.labelSize > 0 ? input('labels') : undefined
  return { device, config, options, G, D, input, labels, noise, expected }
}

/** The numbers of a case that do not depend on lod: w, its mean, truncated images. */
export function latents({ config, options, G, input, labels, noise }: Case): Results {
  return scope(() => {
    const results: Results = new Map([
      ['w', mapping(G.params, input('z'), labels, options)],
      ['w2', mapping(G.params, input('z2'), labels, options)],
    ])
    const training = { labels, noise, lod: 0, dlatentAvgBeta: 0.995 }
    results.set('dlatent_avg_new', generateForTraining(G.params, input('z'), training, options).dlatentAvg!)
    for (const [truncationPsi, truncationCutoff] of config.truncations) {
      const sampling = { labels, noise, truncationPsi, truncationCutoff }
      results.set(
        `image_psi${truncationPsi}_cutoff${truncationCutoff}`,
        generate(G.params, input('z'), sampling, options),
      )
    }
    return results
  })
}

/** Everything that is expected at a lod: images, scores, losses, and gradients of all of them. */
export function lodResults(oracle: Case, lod: number): Results {
  return scope(() => new Map([...generatorResults(oracle, lod), ...discriminatorResults(oracle, lod)]))
}

/** Native images with each pixel repeated up to the full size, as the official networks give and take them. */
function fullSize(images: Tensor, { resolution }: NetworkOptions): Tensor {
  return upscale(images, resolution / images.dims4()[1])
}

function forward({ config, options, input, labels, noise }: Case, params: Params, lod: number): Tensor {
  const mixing = { z2: input('z2'), cutoff: config.mix_cutoff[`lod${lod}`]! }
  return generateForTraining(params, input('z'), { labels, mixing, noise, lod, dlatentAvgBeta: 0.995 }, options).images
}

function generatorResults(oracle: Case, lod: number): Results {
  const { options, G, D, input, labels, noise } = oracle
  const results: Results = new Map()
  results.set('image', fullSize(generate(G.params, input('z'), { labels, noise, lod }, options), options))
  const { params, inputs } = tracked(G)
  const fakes = forward(oracle, params, lod)
  const scores = discriminator(D.params, fakes, labels, lod, options)
  results.set('image_mixed', fullSize(fakes, options)).set('scores_fake', scores)
  addLoss(results, 'g_nonsat', gLogisticNonsaturating(scores), G, inputs)
  addLoss(results, 'g_wgan', gWgan(scores), G, inputs)
  return results
}

function discriminatorResults(oracle: Case, lod: number): Results {
  const { config, options, G, D, input, labels } = oracle
  const { resolution } = options
  const results: Results = new Map()
  const { params, inputs } = tracked(D)
  const critic = (images: Tensor) => discriminator(params, images, labels, lod, options)
  const fakes = forward(oracle, G.params, lod)
  const factor = 2 ** Math.floor(lod)
  const reals = fadeReals(downscale(input('reals'), factor), lod)
  const images = reals.tracked()
  const scores = critic(images)
  // Each of the factor² copies of a native pixel has an equal share of its gradient.
  const gradient = grad(scores, [images])[0]!.mul(1 / factor ** 2)
  results.set('reals', fullSize(reals, options)).set('scores_real', scores)
  results.set('grad_reals', fullSize(gradient, options))
  addLoss(results, 'r1', r1Penalty(scores, images, config.r1_gamma, resolution).mean(), D, inputs)
  addLoss(results, 'd_r1', dLogisticR1(critic, reals, fakes, { gamma: config.r1_gamma, resolution }).loss, D, inputs)
  const wgan = { lambda: config.wgan_lambda, drift: config.wgan_epsilon, target: config.wgan_target }
  const mix = input('gp_u').reshape([reals.shape[0]!, 1, 1, 1])
  addLoss(results, 'd_wgan_gp', dWganGp(critic, reals, fakes, { mix, resolution, ...wgan }).loss, D, inputs)
  return results
}

function addLoss(results: Results, name: string, loss: Tensor, network: Network, inputs: readonly Tensor[]): void {
  results.set(`${name}/loss`, loss)
  grad(loss, inputs).forEach((gradient, i) => results.set(`${name}/grad/${network.trainable[i]!}`, gradient))
}

/**
 * How far each result is from what is expected, of the tensor's largest expected value. A gradient that the fixture leaves out
 * must be exactly zero, and nothing that is expected may be missing.
 *
 * @param byLoss gradients of the losses that differentiate twice are measured by the largest gradient of that loss: small ones
 *   are differences of large terms (±1 of real and fake for the last bias; a deviation's second derivative), which f32 rounds
 */
export async function differences(
  t: Assertions,
  results: Results,
  expected: ReadonlyMap<string, HostTensor>,
  byLoss = false,
): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const [name, tensor] of results) {
    const values = await tensor.data()
    const wanted = expected.get(name)
    if (wanted === undefined) {
      t.true(name.includes('/grad/') && values.every((value) => value === 0), `${name} must be exactly zero`)
      continue
    }
    t.deepEqual([...tensor.shape], [...wanted.shape], name)
    const twice = /^(r1|d_wgan_gp)\/grad\//.exec(name)?.[0]
    const family =
      byLoss && twice ? [...expected].filter(([other]) => other.startsWith(twice)) : [[name, wanted] as const]
    found.set(
      name,
      largestDifference(values, wanted.values) / Math.max(...family.map(([, { values }]) => largest(values))),
    )
  }
  return found
}

const largest = (values: ArrayLike<number>) =>
  Array.from(values).reduce((max, value) => Math.max(max, Math.abs(value)), 0)

/** NaN if any value is none. */
export function largestDifference(values: ArrayLike<number>, expected: ArrayLike<number>): number {
  return largest(Array.from(expected, (value, i) => values[i]! - value))
}

/** Asserts that no difference is above `tolerance`. */
export function within(t: Assertions, found: ReadonlyMap<string, number>, tolerance: number): void {
  for (const [name, difference] of found) {
    t.true(difference <= tolerance, `${name} differs by ${difference} of the largest value`)
  }
}

/** The part of the expected numbers that belongs to a lod, and no other. */
export function expectedAt({ expected }: Case, lod: number): Map<string, HostTensor> {
  const prefix = `lod${lod}/`
  const entries = [...expected].filter(([name]) => name.startsWith(prefix))
  return new Map(entries.map(([name, tensor]) => [name.slice(prefix.length), tensor]))
}

const algorithms = ['auto', 'im2col', 'shifted', 'direct', 'winograd'] satisfies Algorithm[]
/** f32 arithmetic, sums of thousands of products. */
export const f32 = 1e-4
// Where an activation is zero but for rounding, f32 may take the leaky ReLU's other slope, and gradients jump: by up to 9.3e-3
// here, and by just as much on the reference device when its weights are changed by a random 1e-6 (4 of 12 times).
const jump = 1e-2

/** Asserts that a device gives all numbers of a case, whichever way it computes convolutions. */
export async function everyAlgorithmAgrees(t: Assertions, name: CaseName, device: string): Promise<void> {
  const opened = await Promise.all(algorithms.map((algorithm) => openCase(name, Device.open(device, { algorithm }))))
  for (const oracle of opened) within(t, await differences(t, latents(oracle), oracle.expected), f32)
  for (const lod of opened[0]!.config.lods) {
    // Which activations flip depends on the order of summation, so that an error shows in all algorithms, a flip does not.
    const best = new Map<string, number>()
    for (const oracle of opened) {
      const found = await differences(t, lodResults(oracle, lod), expectedAt(oracle, lod), true)
      for (const [loss, difference] of byLoss(found)) {
        within(t, new Map([[`lod${lod}/${loss}`, difference]]), /\bgrad(_reals)?$/.test(loss) ? jump : f32)
        best.set(loss, Math.min(difference, best.get(loss) ?? Infinity))
      }
    }
    within(t, best, f32)
  }
}

/** The largest difference of each loss's gradients, and of each other value. */
function byLoss(found: ReadonlyMap<string, number>): Map<string, number> {
  const all = new Map<string, number>()
  for (const [name, difference] of found) {
    const key = name.replace(/\/grad\/.*/, '/grad')
    all.set(key, Math.max(difference, all.get(key) ?? 0))
  }
  return all
}

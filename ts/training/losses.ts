/** Losses on logits, each the mean over a minibatch (official loss.py). */
import { shownValue } from '../files/shown.ts'
import { grad, scope, Tensor } from '../native/index.ts'
import { downscale, lerp, upscale } from '../networks/layers.ts'

/** The discriminator on images at the size of the current level of detail. */
export type Critic = (images: Tensor) => Tensor

/** How a loss is brought up before it is differentiated, and its gradients down again: see loss scaling in optimizer.ts. */
export interface Scaling {
  /** Before the gradient. */
  readonly up: (loss: Tensor) => Tensor
  /** After it. */
  readonly down: (gradient: Tensor) => Tensor
}

export const noScaling: Scaling = { up: (loss) => loss, down: (gradient) => gradient }

/** `softplus(−D(G(z)))`: the generator's non-saturating loss (Goodfellow et al. 2014). */
export function gLogisticNonsaturating(fakeScores: Tensor): Tensor {
  return scope(() => fakeScores.neg().softplus().mean())
}

/** `−D(G(z))`. */
export function gWgan(fakeScores: Tensor): Tensor {
  return scope(() => fakeScores.neg().mean())
}

/** `−softplus(D(G(z)))`: the generator's saturating loss, as a minimax game has it (Goodfellow et al. 2014, Eq. 1). */
export function gLogisticSaturating(fakeScores: Tensor): Tensor {
  return scope(() => fakeScores.softplus().neg().mean())
}

/** What the discriminator's loss gives: scalars, and the logits `[N, 1]` that it has seen. */
export interface DiscriminatorLoss {
  readonly loss: Tensor
  readonly realScores: Tensor
  readonly fakeScores: Tensor
  /** Mean of all penalties on gradients, as it is in the loss. */
  readonly penalty: Tensor
}

/**
 * `softplus(D(fake)) + softplus(−D(real)) + γ/2 · ‖∇D(real)‖² + γ₂/2 · ‖∇D(fake)‖²`: logistic loss with R1 and R2 (Mescheder
 * et al. 2018; official D_logistic_simplegp), evaluated in every step. A penalty whose weight is 0 is not computed.
 *
 * @param reals, fakes `[N, side, side, C]`
 */
export function dLogisticR1(
  critic: Critic,
  reals: Tensor,
  fakes: Tensor,
  { gamma, r2Gamma = 0, resolution, scaling }: Omit<LossOptions, 'drawMix' | 'r2Gamma'> & { readonly r2Gamma?: number },
): DiscriminatorLoss {
  return scope(() => {
    const score = (images: Tensor, weight: number) => {
      if (weight === 0) return { scores: critic(images), penalty: reals.device.scalar(0) }
      const tracked = images.detach().tracked()
      const scores = critic(tracked)
      return { scores, penalty: r1Penalty(scores, tracked, weight, resolution, scaling).mean() }
    }
    const { scores: fakeScores, penalty: r2 } = score(fakes, r2Gamma)
    const { scores: realScores, penalty: r1 } = score(reals, gamma)
    const penalty = r1.add(r2)
    const logistic = fakeScores.softplus().add(realScores.neg().softplus()).mean()
    return { loss: logistic.add(penalty), realScores, fakeScores, penalty }
  })
}

/**
 * `γ/2 · ‖∇D‖²` of each image, `[N]`.
 *
 * The official gradient is towards the images nearest-upscaled to full size, which D averages down again. With
 * k = resolution / side, each of the k² copies of a pixel receives 1/k² of its gradient, so the squared norm is
 * k² · (1/k²)² = 1/k² of the one at the images' own size.
 *
 * @param images tracked, at their own size
 */
export function r1Penalty(
  scores: Tensor,
  images: Tensor,
  gamma: number,
  resolution: number,
  scaling: Scaling = noScaling,
): Tensor {
  return scope(() => {
    const [gradient] = grad(scaling.up(scores), [images], { createGraph: true })
    const k = resolution / images.dims4()[1]
    return scaling
      .down(gradient!)
      .square()
      .sum([1, 2, 3])
      .mul(gamma / 2 / k ** 2)
  })
}

/** The mixed images of a gradient penalty, and how their gradients weigh. */
export interface GradientPenaltyOptions {
  /** Shares of the fakes in the mixed images, `[N, 1, 1, 1]`. */
  readonly mix: Tensor
  readonly resolution: number
  readonly lambda?: number
  readonly target?: number
  readonly scaling?: Scaling | undefined
}

/** `λ/target² · (‖∇D(x̂)‖ − target)²` on images mixed of real and fake ones (Gulrajani et al. 2017), averaged. */
export function gradientPenalty(
  critic: Critic,
  reals: Tensor,
  fakes: Tensor,
  { mix, resolution, lambda = 10, target = 1, scaling = noScaling }: GradientPenaltyOptions,
): Tensor {
  return scope(() => {
    const mixed = lerp(reals, fakes.detach(), mix).tracked()
    const [gradient] = grad(scaling.up(critic(mixed)), [mixed], { createGraph: true })
    // As in r1Penalty, the norm is taken at full size.
    const k = resolution / mixed.dims4()[1]
    const norm = scaling
      .down(gradient!)
      .square()
      .sum([1, 2, 3])
      .sqrt()
      .mul(1 / k)
    return norm
      .sub(target)
      .square()
      .mean()
      .mul(lambda / target ** 2)
  })
}

/**
 * WGAN with the drift of Karras et al. 2017, Appendix A.1: `D(fake) − D(real) + 0.001 · D(real)²`; with `gp` also its gradient
 * penalty.
 */
export function dWgan(
  critic: Critic,
  reals: Tensor,
  fakes: Tensor,
  { drift = 0.001, gp }: { drift?: number; gp?: GradientPenaltyOptions | undefined } = {},
): DiscriminatorLoss {
  return scope(() => {
    const [realScores, fakeScores] = [critic(reals), critic(fakes)]
    const distance = fakeScores.sub(realScores).add(realScores.square().mul(drift)).mean()
    return penalised(distance, realScores, fakeScores, gp && gradientPenalty(critic, reals, fakes, gp))
  })
}

/** WGAN with gradient penalty and drift: {@link dWgan} as the official D_wgan_gp. */
export function dWganGp(
  critic: Critic,
  reals: Tensor,
  fakes: Tensor,
  { drift = 0.001, ...gp }: GradientPenaltyOptions & { drift?: number },
): DiscriminatorLoss {
  return dWgan(critic, reals, fakes, { drift, gp })
}

/** `max(0, 1 + D(fake)) + max(0, 1 − D(real))`; with `gp` also the gradient penalty (official D_hinge, D_hinge_gp). */
export function dHinge(
  critic: Critic,
  reals: Tensor,
  fakes: Tensor,
  { gp }: { gp?: GradientPenaltyOptions | undefined } = {},
): DiscriminatorLoss {
  return scope(() => {
    const [realScores, fakeScores] = [critic(reals), critic(fakes)]
    const hinge = relu(fakeScores.add(1))
      .add(relu(realScores.neg().add(1)))
      .mean()
    return penalised(hinge, realScores, fakeScores, gp && gradientPenalty(critic, reals, fakes, gp))
  })
}

const relu = (x: Tensor) => x.clamp(0, Infinity)

function penalised(
  distance: Tensor,
  realScores: Tensor,
  fakeScores: Tensor,
  penalty = distance.device.scalar(0),
): DiscriminatorLoss {
  return { loss: distance.add(penalty), realScores, fakeScores, penalty }
}

/** A loss of a program: its name goes into the options of the run, and the run goes on only where the same name is given. */
export interface CustomLoss extends Pick<Loss, 'G'>, Partial<Pick<Loss, 'penalty'>> {
  /** Letters, digits, ".", "_" and "-". */
  readonly name: string
  /** As {@link Loss.D}; without a penalty, the one that is reported is 0. */
  readonly D: (...given: Parameters<Loss['D']>) => CustomDiscriminatorLoss
}

/** {@link DiscriminatorLoss}, perhaps without a penalty. */
export interface CustomDiscriminatorLoss extends Omit<DiscriminatorLoss, 'penalty'> {
  readonly penalty?: Tensor | undefined
}

/** Losses of the package. */
export type LossName = 'logistic' | 'logistic-saturating' | 'wgan' | 'wgan-gp' | 'hinge' | 'hinge-gp'

/** What the losses of a step read. */
export interface LossOptions {
  /** Weights of R1 and R2, which belong to the logistic losses. */
  readonly gamma: number
  readonly r2Gamma: number
  readonly resolution: number
  /** For the gradients that are part of the loss. */
  readonly scaling?: Scaling | undefined
  /** Shares `[N, 1, 1, 1]` of the mixed images, drawn only where a loss needs them. */
  readonly drawMix: () => Tensor
}

/** A pair of losses: of logits `[N, 1]` for the generator, of images `[N, side, side, C]` for the discriminator. */
export interface Loss {
  /** A scalar that the generator makes small. */
  readonly G: (fakeScores: Tensor) => Tensor
  /** Its `loss` is a scalar that the discriminator makes small; gradients inside it need `createGraph`. */
  readonly D: (critic: Critic, reals: Tensor, fakes: Tensor, options: LossOptions) => DiscriminatorLoss
  /** Name of the penalty in stats.jsonl. */
  readonly penalty: 'r1_penalty' | 'gradient_penalty'
}

const gp = ({ drawMix, resolution, scaling }: LossOptions): GradientPenaltyOptions => {
  return { mix: drawMix(), resolution, scaling }
}

/** The pairs that the official code trains with (official loss.py). */
export const losses: Readonly<Record<LossName, Loss>> = {
  logistic: { G: gLogisticNonsaturating, D: dLogisticR1, penalty: 'r1_penalty' },
  'logistic-saturating': { G: gLogisticSaturating, D: dLogisticR1, penalty: 'r1_penalty' },
  wgan: { G: gWgan, D: (critic, reals, fakes) => dWgan(critic, reals, fakes), penalty: 'gradient_penalty' },
  'wgan-gp': {
    G: gWgan,
    D: (critic, reals, fakes, options) => dWgan(critic, reals, fakes, { gp: gp(options) }),
    penalty: 'gradient_penalty',
  },
  hinge: { G: gWgan, D: (critic, reals, fakes) => dHinge(critic, reals, fakes), penalty: 'gradient_penalty' },
  'hinge-gp': {
    G: gWgan,
    D: (critic, reals, fakes, options) => dHinge(critic, reals, fakes, { gp: gp(options) }),
    penalty: 'gradient_penalty',
  },
}

/** How options name a {@link CustomLoss}. */
export type CustomLossName = `custom:${string}`

export const isCustomLoss = (name: string): name is CustomLossName => /^custom:[\w.-]+$/.test(name)

/**
 * The functions of a loss.
 *
 * @param given that of the program, where the options name one
 * @throws RangeError if the options name one that the program does not give
 */
export function lossOf(name: LossName | CustomLossName, given?: CustomLoss): Loss {
  if (!isCustomLoss(name)) return losses[name]
  if (given && name === `custom:${given.name}`) return checkedLoss(given)
  const found = given ? `got '${given.name}'` : 'got none'
  throw new RangeError(
    `loss: the function '${name.slice('custom:'.length)}' of the program that began this run is expected, ${found}; give it to train as hooks.loss`,
  )
}

/** @throws RangeError if a program's loss was not computed from what it shall train, which would stay as it is */
export function checkPath(loss: Tensor, name: string, network: 'G' | 'D', inputs: readonly Tensor[]): void {
  if (!isCustomLoss(name) || loss.dependsOn(inputs)) return
  const scores = network === 'G' ? 'the scores that it is given' : "the critic's scores"
  throw new RangeError(
    `loss '${name.slice('custom:'.length)}': a loss computed from ${scores} by tensor ops is expected from ${network}, got one without a path to ${network}'s weights; leave out detach() and tensors made of numbers`,
  )
}

/** A program's loss, whose results are looked at: types do not know shapes, and not every program has types. */
function checkedLoss({ name, penalty: penaltyName = 'gradient_penalty', ...loss }: CustomLoss): Loss {
  const check = (of: string, value: unknown, expected: string, fits: (shape: readonly number[]) => boolean) => {
    if (value instanceof Tensor && fits(value.shape)) return
    const found = value instanceof Tensor ? `[${value.shape.join(', ')}]` : shownValue(value)
    throw new RangeError(`loss '${name}': ${expected} is expected as ${of}, got ${found}; mend the loss`)
  }
  const scalar = (of: string, value: unknown) =>
    check(of, value, 'a scalar tensor, such as a mean,', (shape) => shape.every((size) => size === 1))
  return {
    penalty: penaltyName,
    G: (fakeScores) => {
      const value = loss.G(fakeScores)
      scalar('what G returns', value)
      return value
    },
    D: (critic, reals, fakes, options) => {
      const given = loss.D(critic, reals, fakes, options) as unknown
      if (typeof given !== 'object' || given === null || given instanceof Promise || given instanceof Tensor) {
        const expected = 'an object { loss, realScores, fakeScores } of tensors'
        throw new RangeError(`loss '${name}': ${expected} is expected from D, got ${shownValue(given)}; mend the loss`)
      }
      const { penalty = reals.device.scalar(0), ...result } = given as CustomDiscriminatorLoss
      scalar("D's loss", result.loss)
      scalar("D's penalty", penalty)
      const N = reals.shape[0]!
      for (const key of ['realScores', 'fakeScores'] as const) {
        check(`D's ${key}`, result[key], `a tensor [${N}, 1], as the critic gives,`, ([n, one, ...more]) => {
          return n === N && one === 1 && more.length === 0
        })
      }
      return { ...result, penalty }
    },
  }
}

/**
 * Real images as the networks see them during a fade: at the new size, with the old size blended in as G blends its own
 * (official process_reals).
 *
 * @param images `[N, side, side, C]`, side = resolution / 2^⌊lod⌋
 */
export function fadeReals(images: Tensor, lod: number): Tensor {
  const fade = lod - Math.floor(lod)
  if (fade === 0) return images
  return scope(() => lerp(images, upscale(downscale(images, 2), 2), fade))
}

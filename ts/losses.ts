/** Losses on logits, each the mean over a minibatch (official loss.py). */
import { grad, scope, type Tensor } from './native.ts'
import { downscale, lerp, upscale } from './networks/layers.ts'

/** The discriminator on images at the size of the current level of detail. */
export type Critic = (images: Tensor) => Tensor

/** `softplus(−D(G(z)))`: the generator's non-saturating loss (Goodfellow et al. 2014). */
export function gLogisticNonsaturating(fakeScores: Tensor): Tensor {
  return scope(() => fakeScores.neg().softplus().mean())
}

/** `−D(G(z))`. */
export function gWgan(fakeScores: Tensor): Tensor {
  return scope(() => fakeScores.neg().mean())
}

export interface DiscriminatorLoss {
  readonly loss: Tensor
  readonly realScores: Tensor
  readonly fakeScores: Tensor
  /** Mean of the penalty, as it is in the loss. */
  readonly penalty: Tensor
}

/**
 * `softplus(D(fake)) + softplus(−D(real)) + γ/2 · ‖∇D(real)‖²`: logistic loss with R1 (Mescheder et al. 2018), evaluated in
 * every step.
 *
 * @param reals, fakes `[N, side, side, C]`
 * @param resolution side of the network's full-size images: see {@link r1Penalty}
 */
export function dLogisticR1(
  critic: Critic,
  reals: Tensor,
  fakes: Tensor,
  { gamma, resolution }: { gamma: number; resolution: number },
): DiscriminatorLoss {
  return scope(() => {
    const fakeScores = critic(fakes)
    const images = reals.tracked()
    const realScores = critic(images)
    const penalty = gamma > 0 ? r1Penalty(realScores, images, gamma, resolution).mean() : reals.device.scalar(0)
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
export function r1Penalty(scores: Tensor, images: Tensor, gamma: number, resolution: number): Tensor {
  return scope(() => {
    const [gradient] = grad(scores, [images], { createGraph: true })
    const k = resolution / images.dims4()[1]
    return gradient!
      .square()
      .sum([1, 2, 3])
      .mul(gamma / 2 / k ** 2)
  })
}

/**
 * WGAN with gradient penalty and drift (Gulrajani et al. 2017; Karras et al. 2017, Appendix A.1):
 * `D(fake) − D(real) + 0.001 · D(real)² + λ (‖∇D(x̂)‖ − 1)²` on images mixed with shares `u [N, 1, 1, 1]`.
 */
export function dWganGp(
  critic: Critic,
  reals: Tensor,
  fakes: Tensor,
  {
    mix,
    resolution,
    lambda = 10,
    drift = 0.001,
    target = 1,
  }: { mix: Tensor; resolution: number; lambda?: number; drift?: number; target?: number },
): DiscriminatorLoss {
  return scope(() => {
    const [realScores, fakeScores] = [critic(reals), critic(fakes)]
    const mixed = lerp(reals, fakes.detach(), mix).tracked()
    const [gradient] = grad(critic(mixed), [mixed], { createGraph: true })
    // As in r1Penalty, the norm is taken at full size.
    const k = resolution / mixed.dims4()[1]
    const norm = gradient!
      .square()
      .sum([1, 2, 3])
      .sqrt()
      .mul(1 / k)
    const penalty = norm
      .sub(target)
      .square()
      .mean()
      .mul(lambda / target ** 2)
    const distance = fakeScores.sub(realScores).add(realScores.square().mul(drift)).mean()
    return { loss: distance.add(penalty), realScores, fakeScores, penalty }
  })
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

/** Bytes 0 … 255 as −1 … 1. The official conversion in the other direction had a range that it never used. */
export function fromBytes(images: Tensor): Tensor {
  return scope(() => images.cast(images.device.float).affine(2 / 255, -1))
}

/** Images −1 … 1 as bytes: `127.5 x + 128`, truncated and clamped (official convert_images_to_uint8). */
export function toBytes(images: Tensor): Tensor {
  return scope(() => images.affine(127.5, 128).cast('u8'))
}

/** The latents of the stylegan package: z of a seed is that of `stylegan generate --seeds`. */

/** Four random words: Philox4x32-10 (Salmon et al. 2011). */
function philox(counter, key) {
  let [a, b, c, d] = counter
  let [k, l] = key
  const product = (x, y) => BigInt(x) * BigInt(y)
  const [high, low] = [(p) => Number(p >> 32n), (p) => Number(p & 0xffffffffn)]
  for (let round = 0; round < 10; round++) {
    const [p, q] = [product(a, 0xd2511f53), product(c, 0xcd9e8d57)]
    ;[a, b, c, d] = [(high(q) ^ b ^ k) >>> 0, low(q), (high(p) ^ d ^ l) >>> 0, low(p)]
    ;[k, l] = [(k + 0x9e3779b9) >>> 0, (l + 0xbb67ae85) >>> 0]
  }
  return [a, b, c, d]
}

/** The stream of latents for pictures. */
const stream = 4

/** Standard normal numbers of a seed. */
export function latents(seed, count) {
  const values = new Float32Array(4 * Math.ceil(count / 4))
  for (let i = 0; i < values.length; i += 4) {
    const words = philox([i / 4, 0, stream, 0], [seed >>> 0, Math.floor(seed / 2 ** 32)])
    const uniform = words.map((word) => ((word >>> 8) + 0.5) / 2 ** 24)
    for (const pair of [0, 2]) {
      const radius = Math.sqrt(-2 * Math.log(uniform[pair]))
      const angle = 2 * Math.PI * uniform[pair + 1]
      values.set([radius * Math.cos(angle), radius * Math.sin(angle)], i + pair)
    }
  }
  return values.subarray(0, count)
}

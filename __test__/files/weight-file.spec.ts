/** Weight files of others: what is read, and what is refused. */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { encodeSafetensors } from '../../ts/files/safetensors.ts'
import { knownWeights, parseWeights, readWeightFile, weight } from '../../ts/files/weight-file.ts'
import { WeightsError } from '../../ts/files/weights.ts'
import { fixtureBytes } from '../support/feature-formula.ts'
import { folder } from '../support/folder.ts'

const message = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof WeightsError) return error.message
    throw error
  }
  throw new Error('nothing was thrown')
}

for (const form of ['zip', 'deflated', 'legacy']) {
  test(`a state_dict in the ${form} form has every tensor by name, row by row, in f32`, async (t) => {
    const weights = parseWeights(await fixtureBytes(`tiny-${form}.pth`), 'tiny.pth')
    const found = Object.fromEntries(
      [...weights].map(([name, { dtype, shape, values }]) => [name, [dtype, shape, values()]]),
    )
    t.deepEqual(found, {
      f32: ['f32', [2, 3], new Float32Array([0, 1, 2, 3, 4, 5])],
      turned: ['f32', [3, 2], new Float32Array([0, 3, 1, 4, 2, 5])],
      'shared.a': ['f32', [4], new Float32Array([2, 3, 4, 5])],
      'shared.b': ['f32', [3, 2], new Float32Array([6, 7, 8, 9, 10, 11])],
      f16: ['f16', [4], new Float32Array([1.5, -2, 2 ** -24, 65504])],
      f64: ['f64', [1], new Float32Array([0.1])],
      i64: ['i64', [], new Float32Array([7])],
      parameter: ['f32', [2], new Float32Array([1, 1])],
    })
  })
}

for (const form of ['zip', 'legacy']) {
  test(`a file in the ${form} form that wants to call a function is refused, and the function named`, async (t) => {
    const bytes = await fixtureBytes(`evil-${form}.pth`)
    t.regex(
      message(() => parseWeights(bytes, 'evil.pth')),
      /^evil\.pth: it wants to use \w+\.eval, which is refused$/,
    )
  })

  test(`a file in the ${form} form that is cut off anywhere is one clear line`, async (t) => {
    const bytes = await fixtureBytes(`tiny-${form}.pth`)
    for (let length = 1; length < bytes.length; length++) {
      t.regex(
        message(() => parseWeights(bytes.slice(0, length), 'cut.pth')),
        /^cut\.pth: [^\n]+$/,
        `${length} bytes`,
      )
    }
  })

  test(`a file in the ${form} form with any one byte changed is read or refused, never anything else`, async (t) => {
    const bytes = await fixtureBytes(`tiny-${form}.pth`)
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice()
      damaged[at]! ^= 0x55
      try {
        for (const { values } of parseWeights(damaged, 'damaged.pth').values()) values()
      } catch (error) {
        t.true(error instanceof WeightsError, `byte ${at}: ${String(error)}`)
      }
    }
  })
}

test('Parameters as PyTorch 0.1 pickled them are their tensors', async (t) => {
  const weights = parseWeights(await fixtureBytes('tiny-parameter.pth'), 'old.pth')
  t.deepEqual(weight(weights, 'weight', [2, 2], 'old.pth'), new Float32Array([0, 1, 2, 3]))
})

test('the heads of LPIPS that this package carries are the published file, in the oldest form', async (t) => {
  const path = new URL('../../weights/lpips-v0.1-vgg.pth', import.meta.url).pathname
  const { weights, sha256 } = await readWeightFile(path, knownWeights.lpips)
  t.is(sha256, knownWeights.lpips.sha256)
  const channels = [64, 128, 256, 512, 512]
  for (const [i, C] of channels.entries()) {
    const values = weight(weights, `lin${i}.model.1.weight`, [1, C, 1, 1], path)
    t.true(values.every((value) => value >= 0) && values.some((value) => value > 0))
  }
})

test('safetensors are read as well, halves and 64-bit integers too', (t) => {
  const encode = (header: object, data: Uint8Array) => {
    const json = Buffer.from(JSON.stringify(header))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(json.length))
    return new Uint8Array(Buffer.concat([length, json, data]))
  }
  const header = {
    __metadata__: { format: 'pt' },
    half: { dtype: 'F16', shape: [2], data_offsets: [0, 4] },
    long: { dtype: 'I64', shape: [], data_offsets: [4, 12] },
  }
  const data = new Uint8Array([0x00, 0x3c, 0x00, 0xc0, 250, 255, 255, 255, 255, 255, 255, 255])
  const weights = parseWeights(encode(header, data), 'x.safetensors')
  t.deepEqual(weight(weights, 'half', [2], 'x.safetensors'), new Float32Array([1, -2]))
  t.deepEqual(weight(weights, 'long', [], 'x.safetensors'), new Float32Array([-6]))
  t.is(message(() => parseWeights(encode(header, data.slice(0, 11)), 'x')).split(': ')[1], 'it is cut off')
  const brain = { x: { dtype: 'BF16', shape: [1], data_offsets: [0, 2] } }
  t.is(
    message(() => parseWeights(encode(brain, data), 'x')),
    "x: 'x' must be F16, F32, F64 or I64, got BF16",
  )
  const small = { x: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }
  t.is(
    message(() => parseWeights(encode(small, data), 'x')),
    "x: 'x' [2] needs 8 bytes, has 4",
  )
})

test('a tensor that is missing or has another shape is named with what was expected', async (t) => {
  const weights = parseWeights(await fixtureBytes('tiny-zip.pth'), 'tiny.pth')
  t.is(
    message(() => weight(weights, 'fc.weight', [1008, 2048], 'tiny.pth')),
    "tiny.pth: 'fc.weight' [1008, 2048] is missing: the file is of another network",
  )
  t.is(
    message(() => weight(weights, 'f32', [3, 2], 'tiny.pth')),
    "tiny.pth: 'f32' must be [3, 2], got [2, 3]: the file is of another network",
  )
})

test('any other file is refused', (t) => {
  for (const bytes of [[], [1, 2, 3], [...Buffer.from('<!DOCTYPE html><html>not found</html>')]]) {
    t.is(
      message(() => parseWeights(new Uint8Array(bytes), 'x')),
      'x: neither a file of torch.save nor safetensors',
    )
  }
})

test('a missing file is told by name, hash, and where it is published', async (t) => {
  await t.throwsAsync(readWeightFile('/nowhere/inception.pth', knownWeights.inception), {
    instanceOf: WeightsError,
    message:
      '/nowhere/inception.pth: no such file; pt_inception-2015-12-05-6726825d.pth (SHA-256 ' +
      '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2), published at ' +
      'https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights is expected',
  })
})

test('a file of another hash is refused unless that is allowed', async (t) => {
  const path = join(await folder(), 'x.safetensors')
  const tensors = new Map([['x', { shape: [1], values: new Float32Array([3]) }]])
  await writeFile(path, Buffer.concat([...encodeSafetensors({ tensors, metadata: {} })]))
  const { sha256, weights } = await readWeightFile(path, knownWeights.vgg, { allowUnknownWeights: true })
  t.deepEqual(weight(weights, 'x', [1], path), new Float32Array([3]))
  await t.throwsAsync(readWeightFile(path, knownWeights.vgg), {
    instanceOf: WeightsError,
    message: new RegExp(`^${path}: SHA-256 ${sha256} is not that of vgg16-397923af\\.pth \\(SHA-256 397923af`),
  })
})

test('the published hashes are those that the file names carry', (t) => {
  t.regex(knownWeights.inception.file, new RegExp(knownWeights.inception.sha256.slice(0, 8)))
  t.regex(knownWeights.vgg.file, new RegExp(knownWeights.vgg.sha256.slice(0, 8)))
  t.is(createHash('sha256').digest('hex').length, knownWeights.lpips.sha256.length)
})

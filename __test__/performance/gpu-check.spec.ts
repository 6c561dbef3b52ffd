/** `npm run gpu-check`, on the software adapter with small sizes. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { page, type Report } from '../../benchmark/gpu-report.ts'
import { folder } from '../support/folder.ts'

const script = fileURLToPath(new URL('../../benchmark/gpu-check.ts', import.meta.url))
const check = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['--import', '@oxc-node/core/register', script, ...args])

test('a GPU is held against the cpu in every precision, and its slowest kernels are told', async (t) => {
  const output = join(await folder(), 'gpu')
  const { stdout } = await check('--small', '--only', 'training,kernels', '--output', output)
  t.regex(stdout, /^training +passed .*\nkernels +passed /)
  const { gpu, results } = JSON.parse(await readFile(`${output}.json`, 'utf8')) as Report
  t.truthy(gpu.name)
  const [training, kernels] = results
  t.deepEqual(
    training!.rows!.map((row) => [row[0], row.at(-1)]),
    ['f32', 'bf16', 'f16'].map((precision) => [precision, 'yes']),
  )
  // Ten of a step in f32, and ten in f16.
  t.is(kernels!.rows!.length, 20)
  t.regex(await readFile(`${output}.md`, 'utf8'), /\| f32 \| conv2d.* % \|/)
})

test('what time does not suffice for is left out, and told', async (t) => {
  const output = join(await folder(), 'gpu')
  const { stdout } = await check('--small', '--only', 'training,speed', '--seconds', '0.000001', '--output', output)
  t.is(stdout.match(/left out: time was over/g)!.length, 2)
  const { results } = JSON.parse(await readFile(`${output}.json`, 'utf8')) as Report
  t.true(results.every(({ passed }) => passed === undefined))
})

test('a stage that is none and a device that is no GPU are refused', async (t) => {
  await t.throwsAsync(check('--only', 'luck'), { message: /names of stages .* are expected, got luck/ })
  await t.throwsAsync(check('--device', 'cpu'), { message: /a GPU is expected, got cpu/ })
})

test('the page has a row for each stage, whatever its GPU is called', (t) => {
  const gpu = { name: 'A | B\n', backend: 'vulkan', driver: 'none' } as Report['gpu']
  const machine = { cpu: 'C', cores: 2 } as Report['machine']
  const results = [
    { name: 'oracle', passed: false, seconds: 1, summary: 'w differs', columns: ['network'], rows: [['rgb-16']] },
    { name: 'peers', seconds: 0, summary: 'left out: no PyTorch' },
  ]
  const text = page({ commit: 'abc', date: 'today', seconds: 1, small: false, gpu, machine, results })
  t.true(text.startsWith('# A   B \n\nvulkan, driver none, no cooperative matrices; C, 2 cores.\n'))
  t.true(
    text.includes('| oracle | **failed** | 1.0 s | w differs |\n| peers | left out | 0.0 s | left out: no PyTorch |'),
  )
  t.true(text.endsWith('## oracle\n\n| network |\n| --- |\n| rgb-16 |\n'))
})

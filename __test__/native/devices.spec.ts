/** Which device a name means, and `stylegan devices`. */
import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { chooseDevice, Device, listDevices, type CpuInfo, type GpuInfo } from '../../ts/native/index.ts'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

function stylegan(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env } })
    let [out, err] = ['', '']
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    child.stderr.on('data', (data: Buffer) => (err += data.toString()))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

const cpu: CpuInfo = {
  device: 'cpu',
  name: 'CPU',
  cores: 2,
  simd: 'AVX2',
  bf16: false,
  memoryBytes: 2 ** 33,
  auto: false,
}
const gpu = (device: string, kind: string, auto: boolean): GpuInfo => ({
  device,
  name: `a ${kind} one`,
  kind,
  backend: 'vulkan',
  driver: 'driver 1.0',
  maxTensorBytes: 2 ** 27,
  maxBufferBytes: 2 ** 31,
  f16: true,
  subgroups: [8, 32],
  matrices: 16,
  timestamps: true,
  auto,
})

test('auto is the best GPU', (t) => {
  const devices = [cpu, gpu('wgpu:0', 'discrete', true), gpu('wgpu:1', 'integrated', false)]
  t.deepEqual(
    chooseDevice('auto', () => devices),
    { device: 'wgpu:0', note: 'auto chose wgpu:0: a discrete one (vulkan)' },
  )
})

test('a name of no device is answered with all that there are', (t) => {
  t.throws(() => Device.open('cuda'), {
    instanceOf: TypeError,
    message: "device: auto, cpu, wgpu, wgpu:N or reference is expected, got 'cuda'",
  })
})

test('auto never is a program that acts as a GPU: it falls back to cpu and says so in one line', (t) => {
  const { device, note } = chooseDevice('auto', () => [cpu, gpu('wgpu:0', 'software', false)])
  t.is(device, 'cpu')
  t.is(note, 'auto found no GPU, so the device is cpu; wgpu:0 is software, a software one')
  t.is(chooseDevice('auto', () => [cpu]).note, 'auto found no GPU, so the device is cpu')
})

test('a name is itself; wgpu:1 is the second adapter', (t) => {
  const devices = () => [cpu, gpu('wgpu:0', 'discrete', true), gpu('wgpu:1', 'integrated', false)]
  for (const name of ['cpu', 'reference', 'wgpu', 'wgpu:1']) t.deepEqual(chooseDevice(name, devices), { device: name })
  const unasked = () => t.fail('drivers are not loaded for the cpu')
  t.is(chooseDevice('cpu', unasked).device, 'cpu')
})

test('a name that is not there is one line with the choices', (t) => {
  const devices = () => [cpu, gpu('wgpu:0', 'discrete', true)]
  for (const name of ['cuda', 'wgpu:1', 'gpu', '']) {
    t.throws(() => chooseDevice(name, devices), {
      instanceOf: RangeError,
      message: `device '${name}': one of auto, cpu, wgpu:0, reference is expected; 'stylegan devices' tells about them`,
    })
  }
  t.throws(() => chooseDevice('wgpu', () => [cpu]), { message: /one of auto, cpu, reference is expected/ })
})

test('the processor and every adapter of this machine are listed; exactly one is what auto means', (t) => {
  const [first, ...gpus] = listDevices()
  t.is(first.device, 'cpu')
  t.true(first.cores >= 1 && first.memoryBytes > 0 && first.simd !== '')
  t.true(gpus.length > 0, 'a GPU, or software Vulkan')
  t.deepEqual(
    gpus.map(({ device }) => device),
    gpus.map((_, i) => `wgpu:${i}`),
  )
  t.is([first, ...gpus].filter(({ auto }) => auto).length, 1)
  for (const { kind, auto, maxTensorBytes } of gpus) {
    t.false(kind === 'software' && auto)
    t.true(maxTensorBytes >= 2 ** 27)
  }
})

test('stylegan devices prints the same list, for people and as JSON', async (t) => {
  const [text, json] = await Promise.all([stylegan(['devices']), stylegan(['devices', '--json'])])
  t.deepEqual([text.code, json.code], [0, 0])
  t.deepEqual(JSON.parse(json.out), listDevices())
  for (const { device, name } of listDevices()) t.true(text.out.includes(device) && text.out.includes(name))
  t.is(text.out.match(/\(auto\)/g)?.length, 1)
})

test('train --device auto says what it chose and saves that; a bad name is one line', async (t) => {
  const auto = await stylegan(['train', '--preset', 'demo', '--device', 'auto', '--dry-run'])
  t.is(auto.code, 0)
  const { device, note } = chooseDevice('auto')
  t.true(auto.out.includes(`"device": "${device}"`))
  t.true(auto.out.includes(note!))
  const bad = await stylegan(['train', '--preset', 'demo', '--device', 'cuda'])
  t.is(bad.code, 1)
  const lines = bad.err.split('\n').filter((line) => line.startsWith('stylegan:'))
  t.is(lines.length, 1)
  t.regex(lines[0]!, /^stylegan: device 'cuda': one of auto, cpu, .* is expected/)
  t.is(bad.out, '')
})

test('only crates/wgpu and the device table know WebGPU', async (t) => {
  const root = new URL('../..', import.meta.url).pathname
  const files = (await readdir(join(root, 'crates'), { recursive: true })).filter((name) => name.endsWith('.rs'))
  t.true(files.length > 50)
  // Tests may open the device.
  const others = files.filter(
    (name) => !/^wgpu\//.test(name) && !/\/tests\//.test(name) && name !== 'node/src/device.rs',
  )
  for (const name of others) {
    const source = await readFile(join(root, 'crates', name), 'utf8')
    const code = source.replaceAll(/^\s*\/\/.*$/gm, '')
    t.notRegex(code, /wgpu|wgsl/i, name)
  }
  for (const name of (await readdir(join(root, 'ts'), { recursive: true })).filter((name) => name.endsWith('.ts'))) {
    const source = await readFile(join(root, 'ts', name), 'utf8')
    // Names of the device, as users write them, are all that TypeScript knows.
    const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '').replaceAll(/'[^'\n]*'|`[^`]*`/g, '')
    t.notRegex(code, /wgpu|wgsl/i, name)
  }
})

test('auto opens the device that it means', (t) => {
  t.is(Device.open('auto').name, chooseDevice('auto').device)
})

test('STYLEGAN_ISA leaves AVX-512 unused, and a value that means nothing is refused in one sentence', async (t) => {
  const confined = await stylegan(['devices', '--json'], { STYLEGAN_ISA: 'avx2' })
  t.not((JSON.parse(confined.out) as [CpuInfo])[0].simd, 'AVX-512')
  const said = "stylegan: STYLEGAN_ISA must be avx2, which leaves AVX-512 unused, or not be set, got 'sse\\u{1b}[2J'\n"
  for (const command of [['bench', '--device', 'cpu'], ['devices']]) {
    t.deepEqual(await stylegan(command, { STYLEGAN_ISA: 'sse\u001b[2J' }), { code: 1, out: '', err: said })
  }
})

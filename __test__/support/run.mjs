// `npm test`: installs, builds, lints, runs the Rust suites and ava, and ends with `N passed, N failed`.
// `npm run test:fast` leaves out what takes long (CONTRIBUTING.md). Each stage prints its seconds; one that breaks counts
// as a failure.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { build } from '../../scripts/build.mjs'

const fast = process.argv.includes('--fast')
const host = execFileSync('rustc', ['--print', 'host-tuple'], { encoding: 'utf8' }).trim()
// One target directory for the addon and the tests: `napi build` names the target, so cargo must too.
const env = { ...process.env, CARGO_BUILD_TARGET: host }
const count = { passed: 0, failed: 0 }

/** @typedef {(line: string) => void} Reader of what a command prints */

/**
 * Runs a command, shows what it prints, and gives each line to `read`.
 *
 * @param {string} name
 * @param {string[]} command
 * @param {Reader} [read]
 * @param {Record<string, string>} [more] environment
 */
async function stage(name, [command = '', ...args], read = () => {}, more = {}) {
  console.log(`\n== ${name}`)
  const began = performance.now()
  const child = spawn(command, args, {
    env: { ...env, ...more },
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  })
  const closed = once(child, 'close').catch(console.error)
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line)
    read(line)
  }
  await closed
  console.log(`== ${name}: ${((performance.now() - began) / 1000).toFixed(1)} s, exit code ${child.exitCode}`)
  return child.exitCode
}

/** @type {Reader} */
function cargoLine(line) {
  const result = /^test result: \w+\. (\d+) passed; (\d+) failed/.exec(line)
  if (!result) return
  count.passed += Number(result[1])
  count.failed += Number(result[2])
}

/** As {@link cargoLine}; what Vulkan's validation layer complains of is a failure. @type {Reader} */
function validatedLine(line) {
  cargoLine(line)
  if (/\bValidation (Error|Warning):/.test(line)) count.failed++
}

/** @type {Reader} */
function tapLine(line) {
  const result = /^(not )?ok \d+/.exec(line)
  if (!result || /# (SKIP|TODO)/.test(line)) return
  count[result[1] ? 'failed' : 'passed']++
}

/** A stage that passes or fails as a whole. @param {string} name @param {string[]} command */
async function check(name, command) {
  count[(await stage(name, command)) === 0 ? 'passed' : 'failed']++
}

/**
 * A stage whose tests are counted; a failure that no test told of, or no test at all, is one failure.
 *
 * @param {string} name
 * @param {string[]} command
 * @param {Reader} read
 * @param {Record<string, string>} [more] environment
 */
async function test(name, command, read, more) {
  const before = { ...count }
  const code = await stage(name, command, read, more)
  const ran = count.passed + count.failed > before.passed + before.failed
  if ((code !== 0 && count.failed === before.failed) || !ran) count.failed++
}

/** Where cooperative matrices are: a program that runs another with a driver that has them, and is validated. */
async function testMatrices() {
  const runner = process.env['STYLEGAN_MATRICES']
  if (!runner) {
    console.log('\n== cooperative matrices: not tested, since STYLEGAN_MATRICES names no driver (CONTRIBUTING.md)')
    return
  }
  const suites = ['cooperative', 'halves', 'winograd', 'closing'].flatMap((name) => ['--test', name])
  const through = { [`CARGO_TARGET_${host.toUpperCase().replaceAll('-', '_')}_RUNNER`]: runner }
  await test('cooperative matrices', [...cargoTest, ...suites], validatedLine, through)
}

/** Other versions of Node: `.ci/nodes` names their programs. */
async function smokeTests() {
  const nodes = (process.env['STYLEGAN_NODES'] ?? '').split(' ').filter((node) => node !== '')
  if (nodes.length === 0) console.log('\n== other versions of Node: not tested, since STYLEGAN_NODES names none')
  for (const node of nodes) await test(`smoke test with ${node}`, [node, '__test__/support/smoke.mjs'], tapLine)
}

const cargoTest = ['cargo', 'test', '--workspace', '--release', '--no-fail-fast']
// What `--fast` leaves out of the Rust suites: other devices, and every case of every kernel and gradient.
const fastRust = [
  ...[
    '--tests',
    '--exclude=stylegan-wgpu',
    '--exclude=stylegan-cpu',
    '--',
    '--skip=conform',
    '--skip=gradients_of_both_orders',
  ],
  ...['--skip=kernel', '--skip=every_algorithm', '--skip=the_convolutions_run_every_algorithm'],
]
// Specs that train, measure with whole networks, or start programs.
const slowSpecs = [
  ...[
    'cli/**',
    'figures/**',
    'performance/**',
    'metrics/networks/**',
    'networks/precision.spec.ts',
    'training/*oracle.spec.ts',
  ],
  ...['native/wgpu.spec.ts', 'runs/{kill,loop}.spec.ts', 'compatibility.spec.ts', 'checkpoints/onnx.spec.ts'],
  ...[
    'readme.spec.ts',
    'docs-commands.spec.ts',
    'studio/{drawing,page,watching}.spec.ts',
    'browser.spec.ts',
    'examples-web.spec.ts',
  ],
]
const fastSpecs = ['__test__/**/*.spec.ts', ...slowSpecs.map((name) => `!__test__/${name}`)]

process.on('exit', (code) => {
  if (code !== 0 && count.failed === 0) count.failed++
  console.log(`${count.passed} passed, ${count.failed} failed`)
})
build()
await check('check types', ['npm', 'run', '--silent', 'typecheck'])
if (fast) {
  await test('Rust', [...cargoTest, ...fastRust], cargoLine)
  await test('ava', ['npx', 'ava', '--tap', ...fastSpecs], tapLine)
} else {
  await check('lint', ['npm', 'run', '--silent', 'lint'])
  await test('Rust', cargoTest, cargoLine)
  await testMatrices()
  await test('ava', ['npx', 'ava', '--tap'], tapLine)
  const soak = ['--import', '@oxc-node/core/register', '__test__/soak/run.ts', '--short', '--seed', '2018']
  await test('soak', [process.execPath, ...soak], tapLine)
  await test('packages', [process.execPath, '__test__/packages/run.mjs'], tapLine)
  await smokeTests()
}
process.exitCode = count.failed > 0 ? 1 : 0

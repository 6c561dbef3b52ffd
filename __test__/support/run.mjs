// `npm test`: installs, builds, checks types, runs the Rust suites and ava, and ends with `N passed, N failed`.
// Each stage prints its seconds; a stage that breaks counts as a failure.
import { spawn, execFileSync } from 'node:child_process'
import { createInterface } from 'node:readline'

const host = execFileSync('rustc', ['--print', 'host-tuple'], { encoding: 'utf8' }).trim()
// One target directory for the addon and the tests: `napi build` names the target, so cargo must too.
const env = { ...process.env, CARGO_BUILD_TARGET: host }
const count = { passed: 0, failed: 0 }

/** Runs a command, shows what it prints, and gives each line to `read`. */
async function stage(name, command, args, read = () => {}, more = {}) {
  console.log(`\n== ${name}`)
  const began = performance.now()
  const child = spawn(command, args, {
    env: { ...env, ...more },
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  })
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line)
    read(line)
  }
  const code = child.exitCode ?? (await new Promise((resolve) => child.on('close', resolve)))
  console.log(`== ${name}: ${((performance.now() - began) / 1000).toFixed(1)} s, exit code ${code}`)
  return code
}

function cargoLine(line) {
  const result = /^test result: \w+\. (\d+) passed; (\d+) failed/.exec(line)
  if (!result) return
  count.passed += Number(result[1])
  count.failed += Number(result[2])
}

/** As {@link cargoLine}; what Vulkan's validation layer complains of is a failure. */
function validatedLine(line) {
  cargoLine(line)
  if (/\bValidation (Error|Warning):/.test(line)) count.failed++
}

function tapLine(line) {
  const result = /^(not )?ok \d+/.exec(line)
  if (!result || /# (SKIP|TODO)/.test(line)) return
  count[result[1] ? 'failed' : 'passed']++
}

async function test(name, command, args, read, more) {
  const before = { ...count }
  const code = await stage(name, command, args, read, more)
  const ran = count.passed + count.failed > before.passed + before.failed
  if ((code !== 0 && count.failed === before.failed) || !ran) count.failed++
}

const builds = [
  ['install', 'npm', ['install', '--no-audit', '--no-fund', '--loglevel=error']],
  ['build addon', 'npm', ['run', '--silent', 'build:native']],
  ['build TypeScript', 'npm', ['run', '--silent', 'build:ts']],
  ['check types of tests', 'npm', ['run', '--silent', 'typecheck']],
]
for (const [name, command, args] of builds) {
  if ((await stage(name, command, args)) !== 0) {
    console.log('0 passed, 1 failed')
    process.exit(1)
  }
}
await test('Rust', 'cargo', ['test', '--workspace', '--release', '--no-fail-fast'], cargoLine)
// A program that runs another with a driver that has cooperative matrices, and is validated; `.ci/run` names one.
const runner = process.env.STYLEGAN_MATRICES
if (runner) {
  const suites = ['cooperative', 'halves', 'filtering', 'closing'].flatMap((name) => ['--test', name])
  const through = { [`CARGO_TARGET_${host.toUpperCase().replaceAll('-', '_')}_RUNNER`]: runner }
  await test(
    'cooperative matrices',
    'cargo',
    ['test', '--workspace', '--release', '--no-fail-fast', ...suites],
    validatedLine,
    through,
  )
} else {
  console.log('\n== cooperative matrices: not tested, since STYLEGAN_MATRICES names no driver (CONTRIBUTING.md)')
}
await test('ava', 'npx', ['ava', '--tap'], tapLine)
console.log(`${count.passed} passed, ${count.failed} failed`)
process.exit(count.failed > 0 ? 1 : 0)

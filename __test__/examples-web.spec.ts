/** The page of examples/web/ in a browser that reaches this machine alone: its pictures are those of the package. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { loadGenerator } from '../ts/index.ts'
import { browser, withPage } from './support/browser.ts'
import { folder as fixtures } from './support/checkpoints.ts'
import { stylegan } from './support/command.ts'
import { folder } from './support/folder.ts'

const run = browser === undefined ? test.skip : test
const server = fileURLToPath(new URL('../examples/web/serve.mjs', import.meta.url))

/** Exports a checkpoint, and opens the page with it. */
async function withServer(checkpoint: string, pixels: string, work: (address: string) => Promise<void>): Promise<void> {
  const output = join(await folder(), 'faces.onnx')
  const args = ['--network', checkpoint, '--format', 'onnx', '--trunc', 'input', '--pixels', pixels, '--output', output]
  const { code, err } = await stylegan(['export', ...args])
  if (code !== 0) throw new Error(err)
  const child = spawn(process.execPath, [server, output, '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [address] = (await once(child.stdout, 'data')) as [Buffer]
    await work(address.toString().trim())
  } finally {
    child.kill()
  }
}

/** Runs in the page. */
const pixelsOf = `[...document.querySelectorAll('canvas')].map(
  (canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data])`

run(
  'the page draws what generate draws of the same seeds, truncation and class, and asks no other machine',
  async (t) => {
    const checkpoint = new URL('nvlabs/labels16/network.pkl', fixtures).pathname
    const G = await loadGenerator(checkpoint)
    await withServer(checkpoint, 'bytes', (address) =>
      withPage(async ({ page, problems }) => {
        const status = (text: string) => page.getByText(text).waitFor()
        const check = async (psi: number, first: number, label: number) => {
          const seeds = Array.from({ length: 12 }, (_, i) => first + i)
          const images = await G.images({ seeds, psi, cutoff: 8, class: label })
          const drawn = await page.evaluate<number[][]>(pixelsOf)
          t.is(drawn.length, 12)
          for (const [i, pixels] of drawn.entries()) {
            const rgb = pixels.filter((_, at) => at % 4 < 3)
            const apart = rgb.map((value, at) => Math.abs(value - images.at(i)[at]!))
            t.true(Math.max(...apart) <= 1, `picture ${i} is ${Math.max(...apart)} off`)
          }
        }
        await page.goto(address)
        await status('12 pictures of 16×16')
        await check(0.7, 0, 0)
        const steps: readonly [act: () => Promise<unknown>, expected: [number, number, number]][] = [
          [async () => page.locator('#psi').fill('-0.5'), [-0.5, 0, 0]],
          [async () => page.locator('#class').selectOption('2'), [-0.5, 0, 2]],
          [async () => page.getByText('More').click(), [-0.5, 12, 2]],
        ]
        for (const [act, expected] of steps) {
          await page.evaluate("document.getElementById('status').textContent = ''")
          await act()
          await status('12 pictures of 16×16')
          await check(...expected)
        }
        t.deepEqual(problems, [])
      }),
    )
  },
)

run('a network that was exported otherwise is told on the page', async (t) => {
  const checkpoint = new URL('nvlabs/fused16/network.pkl', fixtures).pathname
  await withServer(checkpoint, 'floats', (address) =>
    withPage(async ({ page }) => {
      await page.goto(address)
      await page.getByText('A network with --pixels bytes').waitFor()
      t.is(await page.locator('canvas').count(), 0)
    }),
  )
})

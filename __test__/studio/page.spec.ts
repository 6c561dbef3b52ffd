/** The page in a browser, used as a person would: dragged, typed, and with keys alone. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import anyTest, { type ExecutionContext } from 'ava'
import type { Download, Page } from 'playwright-core'
import { drawLook } from '../../ts/figures/look.ts'
import { ffmpegFault } from '../../ts/figures/video.ts'
import { readProjected } from '../../ts/figures/projected.ts'
import { encodePng } from '../../ts/native/index.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { browser, withPage } from '../support/browser.ts'
import { tinyClassifier } from '../support/classifier.ts'
import { folder } from '../support/folder.ts'
import { studioFor, tinyRun } from '../support/studio.ts'
import { tinyDataset, tinyConfig } from '../support/tiny.ts'

const test = browser === undefined ? anyTest.skip : anyTest.serial
const withFfmpeg = (await ffmpegFault()) === undefined ? test : anyTest.skip
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let made: Promise<{ outdir: string; run: string }> | undefined
const trained = () => (made ??= folder().then(async (outdir) => ({ outdir, run: await tinyRun(outdir) })))

/** Opens the studio of a trained network in a browser; nothing may go wrong in the page. */
async function inStudio(
  t: ExecutionContext,
  panel: string,
  work: (page: Page, base: string) => Promise<void>,
  viewport = { width: 1280, height: 900 },
): Promise<void> {
  const { outdir } = await trained()
  const studio = await studioFor(t, { outdir })
  await withPage(async ({ page, problems }) => {
    await page.goto(studio.url)
    await page.getByRole('heading', { name: 'Runs' }).waitFor()
    t.false(page.url().includes(studio.token), 'the token has left the address')
    const base = `http://127.0.0.1:${studio.port}/`
    await page.goto(base + panel)
    await work(page, base)
    t.deepEqual(problems, [])
  }, viewport)
}

/** Runs in the page, whose types are not those of tests. */
const pixelsOf = (selector: string) => `(async () => {
  const img = document.querySelector('${selector}')
  await img.decode()
  const canvas = new OffscreenCanvas(img.naturalWidth, img.naturalHeight)
  const context = canvas.getContext('2d')
  context.drawImage(img, 0, 0)
  return [...context.getImageData(0, 0, canvas.width, canvas.height).data]
})()`

/** The pixels of the large picture once it is drawn: RGBA. */
async function pictureOf(page: Page): Promise<number[]> {
  await page.locator('.picture.large:not(.waiting) img').waitFor()
  return page.evaluate<number[]>(pixelsOf('.picture.large img'))
}

/** A look of the trained network, drawn by the library. */
async function drawn(look: object) {
  const G = await loadGenerator((await trained()).outdir)
  return drawLook(G, { seed: 0, psi: 0.7, cutoff: 8, ...look })
}

async function expected(look: object): Promise<number[]> {
  const { pixels } = await drawn(look)
  return Array.from({ length: (pixels.length / 3) * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : pixels[(i >> 2) * 3 + (i % 4)]!,
  )
}

async function bytesOf(download: Download): Promise<Buffer> {
  return readFile(await download.path())
}

test('a picture is changed by sliders, keys and typing; its link shows it again; it is saved and kept', (t) =>
  inStudio(t, '#/explore', async (page, base) => {
    t.deepEqual(await pictureOf(page), await expected({}))
    await page.getByLabel('Seed', { exact: true }).fill('7')
    await page.getByRole('slider', { name: 'Truncation ψ' }).focus()
    for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowLeft')
    await page.waitForURL(/psi=0\.5/)
    t.deepEqual(await pictureOf(page), await expected({ seed: 7, psi: 0.5 }))
    await page.getByRole('radio', { name: 'Random' }).check()
    await page.getByText('Strength of the noise by layer').click()
    await page.getByRole('slider', { name: 'Layer 3' }).fill('0')
    const look = { seed: 7, psi: 0.5, noise: 'random', noiseStrength: [1, 1, 1, 0] }
    await page.waitForURL(/strength=/)
    t.deepEqual(await pictureOf(page), await expected(look))

    const link = page.url()
    await page.goto(`${base}#/runs`)
    await page.goto(link)
    t.deepEqual(await pictureOf(page), await expected(look))

    const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Save PNG').click()])
    t.is(download.suggestedFilename(), 'seed0007.png')
    t.deepEqual(await bytesOf(download), Buffer.from(await (await drawn(look)).png(0)))
    await page.getByRole('button', { name: 'Favourite' }).click()
    await page.getByRole('button', { name: 'Seed 3', exact: true }).click()
    await page.waitForURL(/seed=3/)
    await page.getByRole('button', { name: 'Show favourite 1, seed 7' }).click()
    await page.waitForURL(/seed=7/)
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByRole('button', { name: 'Copy', exact: true }).click()
    const command = await page.evaluate('navigator.clipboard.readText()')
    t.regex(String(command), /--seeds 7 --trunc 0\.5 --trunc-cutoff 8 --noise-mode random --noise-strength 1,1,1,0$/)
  }))

test('styles are mixed by dragging pictures onto layers, and by keys alone', (t) =>
  inStudio(t, '#/mix', async (page) => {
    await pictureOf(page)
    await page.getByRole('button', { name: 'Pick seed 5' }).dragTo(page.getByRole('button', { name: /^Coarse/ }))
    await page.waitForURL(/mix=5%3A0-3/)
    t.deepEqual(await pictureOf(page), await expected({ mix: [{ seed: 5, layers: [0, 1, 2, 3] }] }))
    await page.getByRole('radio', { name: 'Each layer' }).check()
    await page.getByRole('button', { name: 'Pick seed 9' }).focus()
    await page.keyboard.press('Enter')
    await page.getByText('Seed 9 is picked').waitFor()
    await page
      .getByRole('button', { name: /^Layer 2/ })
      .first()
      .focus()
    await page.keyboard.press('Enter')
    await page.waitForURL(/mix=5%3A0-1%2B3%2C9%3A2/)
    const mix = [
      { seed: 5, layers: [0, 1, 3] },
      { seed: 9, layers: [2] },
    ]
    t.deepEqual(await pictureOf(page), await expected({ mix }))
    await page.getByRole('button', { name: 'Layer 2: its own styles again' }).click()
    await page.waitForURL(/mix=5%3A0-1%2B3(&|$)/)
    await page.getByText('Clear all').click()
    t.deepEqual(await pictureOf(page), await expected({}))
  }))

test('a walk has its key frames moved, is played, and saved as an animated PNG', (t) =>
  inStudio(t, '#/walk?keys=1,2,3&frames=4&fps=20', async (page) => {
    t.deepEqual(await pictureOf(page), await expected({ seed: 1 }))
    await page.getByRole('button', { name: 'Key frame 3 earlier' }).click()
    await page.waitForURL(/keys=1%2C3%2C2/)
    await page.getByLabel('Seed of the next key frame').fill('8')
    await page.getByRole('button', { name: 'Add' }).click()
    await page.waitForURL(/keys=1%2C3%2C2%2C8/)
    await page.getByRole('button', { name: 'Remove key frame 1' }).click()
    await page.waitForURL(/keys=3%2C2%2C8/)
    t.deepEqual(await pictureOf(page), await expected({ seed: 3 }))
    await page.getByRole('button', { name: 'Play' }).click()
    await page.getByText(/key 2\.\d/).waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Save animated PNG').click()])
    const file = await bytesOf(download)
    t.is(file.readUInt32BE(file.indexOf('acTL') + 4), 12, 'frames')
  }))

withFfmpeg('a walk is saved as MP4 where there is ffmpeg, and its command writes the same frames', (t) =>
  inStudio(t, '#/walk?keys=1,2&frames=5&fps=10', async (page) => {
    await pictureOf(page)
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Save MP4').click()])
    t.is(download.suggestedFilename(), 'walk.mp4')
    const file = await bytesOf(download)
    t.is(file.subarray(4, 8).toString('latin1'), 'ftyp')
    t.regex((await page.locator('.copy pre').textContent())!, /--output out\/walk\.mp4$/)
    const probe = await promisify(execFile)('ffprobe', [
      ...['-v', 'error', '-count_frames', '-show_entries', 'stream=codec_name,width,height,nb_read_frames'],
      ...['-of', 'csv=p=0', await download.path()],
    ])
    t.is(probe.stdout.trim(), 'h264,128,128,10')
  }),
)

test('styles move along directions of W', (t) =>
  inStudio(t, '#/directions?seed=4', async (page) => {
    const slider = page.getByRole('slider', { name: /^Component 1,/ })
    await slider.fill('2')
    await page.waitForURL(/shift=0%3A2%3A0-3/)
    const shifts = [{ direction: 0, by: 2, layers: [0, 1, 2, 3] }]
    t.deepEqual(await pictureOf(page), await expected({ seed: 4, shifts }))
    await page.getByText('Reset').click()
    t.deepEqual(await pictureOf(page), await expected({ seed: 4 }))
  }))

test('attributes are found from the page, and become sliders', async (t) => {
  const [outdir, classifiers] = [await folder(), await folder()]
  await tinyRun(outdir)
  await tinyClassifier(classifiers, 'hat')
  const studio = await studioFor(t, { outdir, classifiers })
  await withPage(async ({ page, problems }) => {
    await page.goto(studio.url)
    await page.getByRole('link', { name: 'Directions' }).click()
    await page.getByRole('button', { name: 'Find attributes' }).click()
    const slider = page.getByRole('slider', { name: /^hat, \d+ % told apart/ })
    // A quick machine is done before the page asks for the first time.
    await page
      .getByText(/^\d+ of \d+ images classified/)
      .or(slider)
      .first()
      .waitFor()
    await slider.focus()
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight')
    await page.waitForURL(/shift=hat%3A0\.3%3A0-3/)
    await pictureOf(page)
    const command = await page.locator('.copy pre').textContent()
    t.regex(command!, /--shift hat:0\.3:0-3$/)
    t.deepEqual(problems, [])
  })
})

test('a picture is chosen, cut by pointer and keys, projected, stopped, gone on with, and explored as w', (t) =>
  inStudio(t, '#/project', async (page) => {
    const file = { name: 'my face.png', mimeType: 'image/png', buffer: await photo() }
    await page.getByLabel('Image', { exact: true }).setInputFiles(file)
    await page.getByText('40×40 pixels from 10, 0.').waitFor()
    const square = page.getByRole('group', { name: 'Square that is projected' })
    const box = (await square.boundingBox())!
    const pixel = box.width / 40
    // The bottom right corner, then the whole square.
    await page.mouse.move(box.x + box.width - 2, box.y + box.height - 2)
    await page.mouse.down()
    await page.mouse.move(box.x + 20.5 * pixel, box.y + 20.5 * pixel, { steps: 3 })
    await page.mouse.up()
    await page.getByText('20×20 pixels from 10, 0.').waitFor()
    await page.mouse.move(box.x + 10 * pixel, box.y + 10 * pixel)
    await page.mouse.down()
    await page.mouse.move(box.x + 15 * pixel, box.y + 13 * pixel, { steps: 3 })
    await page.mouse.up()
    await page.getByText('20×20 pixels from 15, 3.').waitFor()
    await square.focus()
    for (const key of ['ArrowLeft', 'ArrowDown', 'Shift+ArrowRight', '-']) await page.keyboard.press(key)
    await page.getByText('18×18 pixels from 19, 5.').waitFor()

    await page.getByLabel('Steps').fill('1500')
    await page.getByRole('button', { name: 'Project it' }).click()
    await page.waitForURL(/of=projections%2Fmy-face-1/)
    await page.getByText(/^\d+ of 1500 steps/).waitFor()
    await page.getByRole('button', { name: 'Stop' }).click()
    // What was cut out is what the file has there.
    const cut = await page.evaluate<number[]>(pixelsOf('.target-and-found img'))
    t.deepEqual([cut.length, ...cut.slice(0, 4)], [18 * 18 * 4, 19 * 4, 5 * 4, 0, 255])
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByRole('link', { name: 'Explore it' }).click()
    await page.waitForURL(/explore.*w=projections%2Fmy-face-1/)
    const { outdir } = await trained()
    const projected = await readProjected(join(outdir, 'projections/my-face-1/projected_w.npz'))
    t.deepEqual(await pictureOf(page), await expected({ projected }))
    t.regex((await page.locator('.copy pre').textContent())!, /--projected-w \S+my-face-1\/projected_w\.npz$/)
    await page.getByRole('link', { name: 'Directions' }).click()
    await page.goBack()
    await page.getByRole('button', { name: 'Back to seeds' }).click()
    t.deepEqual(await pictureOf(page), await expected({}))
  }))

test('a picture is dropped, and one that is no image is told', (t) =>
  inStudio(t, '#/project', async (page) => {
    const drop = async (name: string, type: string, base64: string) => {
      const data = await page.evaluateHandle<object>(`(() => {
        const bytes = Uint8Array.from(atob('${base64}'), (letter) => letter.charCodeAt(0))
        const data = new DataTransfer()
        data.items.add(new File([bytes], '${name}', { type: '${type}' }))
        return data
      })()`)
      await page.dispatchEvent('.projector', 'drop', { dataTransfer: data })
    }
    await drop('notes.txt', 'text/plain', 'aGVsbG8=')
    await page.getByRole('alert').filter({ hasText: 'notes.txt: an image that this browser can show' }).waitFor()
    await drop('face.png', 'image/png', (await photo()).toString('base64'))
    await page.getByText('40×40 pixels from 10, 0.').waitFor()
    t.is(await page.getByRole('alert').count(), 0)
  }))

/** 60×40 pixels whose colours say where they are. */
async function photo(): Promise<Buffer> {
  const colours = Uint8Array.from({ length: 60 * 40 * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % 60, Math.floor(i / 180)]
    return [4 * x, 4 * y, 0][i % 3]!
  })
  return Buffer.from(await encodePng(colours, 60, 40, 3))
}

test('a run has curves to zoom with drag and keys, pictures to scrub, snapshots, options and a log', (t) =>
  inStudio(t, '', async (page) => {
    await page.getByRole('link', { name: new RegExp((await trained()).run) }).click()
    const chart = page.getByRole('figure', { name: /^Losses/ })
    await chart.waitFor()
    t.regex((await chart.getAttribute('aria-label'))!, /^Losses at 0.1 kimg: D \S+, G \S+\./)
    const box = (await chart.locator('.u-over').boundingBox())!
    await page.mouse.move(box.x + box.width * 0.4, box.y + 50)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.8, box.y + 50, { steps: 4 })
    await page.mouse.up()
    await page.waitForURL(/from=0\.03\d*&to=0\.07/)
    await chart.focus()
    await page.keyboard.press('Escape')
    await page.waitForURL((url) => !url.hash.includes('from'))
    await page.keyboard.press('+')
    await page.waitForURL(/from=0\.024/)

    await page.getByRole('link', { name: 'Pictures' }).click()
    await page.getByRole('img', { name: 'Images that the network drew after 0 kimg' }).waitFor()
    await page.getByRole('radio', { name: 'Beside' }).check()
    await page.getByRole('img', { name: 'Images that it learns from' }).waitFor()
    await page.getByRole('link', { name: 'Options' }).click()
    await page.getByText('fmapBase').waitFor()
    await page.getByRole('link', { name: 'Log' }).click()
    await page.getByText('tick 3 ').waitFor()
    await page.getByRole('link', { name: 'Snapshots' }).click()
    await page.getByRole('link', { name: 'Mix' }).last().click()
    await page.getByRole('heading', { name: 'Mix styles' }).waitFor()
  }))

test('augmentation has a chart of p and of what p follows', async (t) => {
  const outdir = await folder()
  const line = (kimg: number) =>
    JSON.stringify({ 'Progress/kimg': kimg, 'Progress/augment': kimg / 100, 'Loss/signs/real': 0.625 })
  await mkdir(join(outdir, 'few-images'))
  await writeFile(join(outdir, 'few-images', 'stats.jsonl'), `${line(1)}\n${line(2)}\n`)
  const studio = await studioFor(t, { outdir })
  await withPage(async ({ page, problems }) => {
    await page.goto(studio.url)
    await page.getByRole('link', { name: /few-images/ }).click()
    const label = await page.getByRole('figure', { name: /^Augmentation/ }).getAttribute('aria-label')
    t.regex(label!, /^Augmentation at 2 kimg: (p 0\.02\d*, r_t 0\.625|r_t 0\.625, p 0\.02\d*)\./)
    t.deepEqual(problems, [])
  })
})

test('a training is estimated, started, watched to its end, and explored', async (t) => {
  const [outdir, dataRoot] = [await folder(), await tinyDataset()]
  const studio = await studioFor(t, { outdir, dataRoot })
  await withPage(async ({ page, problems }) => {
    await page.goto(studio.url)
    await page.getByRole('heading', { name: 'No run yet' }).waitFor()
    await page.getByRole('link', { name: 'Start a training' }).click()
    await page.getByLabel('Images', { exact: true }).selectOption('The whole data root')
    await page.getByText('All options').click()
    for (const [key, value] of Object.entries(tinyConfig)) await page.locator(`#option-${key}`).fill(String(value))
    await page.getByRole('button', { name: 'Estimate' }).click()
    await page
      .getByText(/^Timeline|Estimate +\d/)
      .first()
      .waitFor({ timeout: 60_000 })
    await page.locator('#option-desc').fill('bad name!')
    await page.getByRole('button', { name: 'Start' }).click()
    await page.getByRole('alert').filter({ hasText: 'letters, digits' }).waitFor({ timeout: 20_000 })
    await page.locator('#option-desc').fill('mine')
    await page.getByRole('button', { name: 'Start' }).click()
    await page.getByRole('link', { name: 'All runs' }).click()
    await page.getByRole('link', { name: /-mine.*(Running|Finished)/ }).click({ timeout: 60_000 })
    await page.getByText('Finished').waitFor({ timeout: 60_000 })
    await page.getByRole('figure', { name: /^Losses at 0.1 kimg/ }).waitFor()
    await page.getByRole('link', { name: 'Explore' }).last().click()
    t.true((await pictureOf(page)).length > 0)
    t.deepEqual(
      problems.filter((text) => !text.includes('400')),
      [],
    )
  })
})

test('two pages draw at once; both go on when the studio is started again under them', async (t) => {
  const { outdir } = await trained()
  const first = await studioFor(t, { outdir })
  await withPage(async ({ page }) => {
    await page.goto(first.url)
    const other = await (await page.context().browser()!.newContext()).newPage()
    await other.goto(first.url)
    for (const one of [page, other]) {
      await one.getByRole('heading', { name: 'Runs' }).waitFor()
      await one.goto(`http://127.0.0.1:${first.port}/#/explore?seed=2`)
    }
    const pictures = await Promise.all([pictureOf(page), pictureOf(other)])
    t.deepEqual(pictures[0], pictures[1])
    await first.close()
    await page.getByText('The studio does not answer. The page goes on').waitFor()
    // The page keeps the pictures of its grid: this one is not among them.
    await page.getByLabel('Seed', { exact: true }).fill('500')
    await page.getByText('The studio does not answer. Is it still running?').waitFor()
    await studioFor(t, { outdir, port: first.port })
    await page.getByText('The page goes on by itself').waitFor({ state: 'hidden' })
    await page.getByRole('button', { name: 'Seed after' }).click()
    t.deepEqual(await pictureOf(page), await expected({ seed: 501 }))
    await other.getByRole('button', { name: 'Seed after' }).click()
    t.deepEqual(await pictureOf(other), await expected({ seed: 3 }))
  })
})

test('a page without the token is locked, and opens with it', async (t) => {
  const { outdir } = await trained()
  const studio = await studioFor(t, { outdir })
  await withPage(async ({ page }) => {
    await page.goto(`http://127.0.0.1:${studio.port}/`)
    await page.getByLabel('Token').fill('wrong')
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByRole('alert').waitFor()
    await page.getByLabel('Token').fill(await readFile(join(outdir, '.studio-token'), 'utf8'))
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByRole('heading', { name: 'Runs' }).waitFor()
    t.pass()
  })
})

test('a thousand moves of a slider leave the memory of page and studio as it was', (t) =>
  inStudio(t, '#/explore', async (page) => {
    await pictureOf(page)
    const cdp = await page.context().newCDPSession(page)
    const move = (count: number) =>
      page.getByRole('slider', { name: 'Truncation ψ' }).evaluate(async (slider, count) => {
        const input = slider as unknown as { value: string; dispatchEvent: (event: Event) => void }
        for (let i = 0; i < count; i++) {
          input.value = String(((i * 7) % 60) / 20 - 1.5)
          input.dispatchEvent(new Event('input', { bubbles: true }))
          await new Promise((resolve) => setTimeout(resolve, 2))
        }
      }, count)
    const heap = async () => {
      await cdp.send('HeapProfiler.collectGarbage')
      return (await cdp.send('Runtime.getHeapUsage')).usedSize
    }
    await move(100)
    const [before, rss] = [await heap(), process.memoryUsage().rss]
    await move(1000)
    await pictureOf(page)
    t.true((await heap()) - before < 1 << 20, 'less than 1 MiB of the page')
    t.true(process.memoryUsage().rss - rss < 48 << 20, 'less than 48 MiB of the studio')
  }))

const panels = (run: string) => ({
  runs: '#/runs',
  start: '#/start',
  curves: `#/run/${run}`,
  pictures: `#/run/${run}?tab=pictures&beside=side`,
  snapshots: `#/run/${run}?tab=snapshots`,
  options: `#/run/${run}?tab=options`,
  log: `#/run/${run}?tab=log`,
  explore: '#/explore?noise=random',
  mix: '#/mix?each=1&mix=4:0-1',
  walk: '#/walk',
  directions: '#/directions',
  attributes: '#/directions?network=built-in:avatars',
  project: '#/project',
  moved: '#/directions?w=projections/my-face-1',
})

for (const [theme, width] of [
  ['light', 1280],
  ['dark', 360],
] as const) {
  test(`no panel has a fault for those who see or hear it differently, and none is wider than ${width} pixels: ${theme}`, (t) =>
    inStudio(
      t,
      '#/runs',
      async (page, base) => {
        await page.emulateMedia({ colorScheme: theme })
        for (const [name, link] of Object.entries(panels((await trained()).run))) {
          await page.goto(base + link)
          await page.locator('h1').waitFor()
          await page.locator('.busy, [aria-busy=true]').first().waitFor({ state: 'detached' })
          await page.evaluate(axe)
          const faults = await page.evaluate(
            `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))`,
          )
          t.deepEqual(faults, [], name)
          t.is(await page.evaluate('document.documentElement.scrollWidth'), width, name)
        }
      },
      { width, height: 800 },
    ))
}

/**
 * A headless Chromium for tests of pages. It is Debian's, or the one that STYLEGAN_CHROMIUM names; `.ci/run` installs it. Where there
 * is none, tests of pages are skipped: `const run = browser === undefined ? test.skip : test`.
 */
import { existsSync } from 'node:fs'
import { chromium, type Page } from 'playwright-core'

/** The program, undefined where there is none. */
export const browser = [
  process.env['STYLEGAN_CHROMIUM'],
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
].find((path) => path !== undefined && existsSync(path))

export interface Opened {
  readonly page: Page
  /** What went wrong so far: errors of scripts, of the console, and requests to other machines than this, which are refused. */
  readonly problems: readonly string[]
}

/** Opens an empty page of a browser of its own, and closes both after `work`. */
export async function withPage<T>(
  work: (opened: Opened) => Promise<T>,
  viewport = { width: 1280, height: 800 },
): Promise<T> {
  // Containers have no user namespaces for Chromium's sandbox, and the pages are our own.
  const args = ['--no-sandbox', '--disable-dev-shm-usage']
  const running = await chromium.launch({ executablePath: browser!, args })
  try {
    const page = await running.newPage({ viewport })
    // A busy machine may take more than the 30 seconds of the library.
    page.setDefaultTimeout(120_000)
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    await page.route(/^(https?|wss?):\/\/(?!127\.0\.0\.1[:/]|localhost[:/])/, (route) => {
      problems.push(`a request to another machine: ${route.request().url()}`)
      return route.abort()
    })
    return await work({ page, problems })
  } finally {
    await running.close()
  }
}

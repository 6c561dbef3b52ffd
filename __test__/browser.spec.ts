/** The browser that tests of pages run in. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { browser, withPage } from './support/browser.ts'

const run = browser === undefined ? test.skip : test

run('a page is told its errors and whom it asks beside this machine, and nobody else answers it', async (t) => {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html')
    response.end("<title>here</title><img src='https://example.com/a.png'><script>throw new Error('broken')</script>")
  }).listen(0, '127.0.0.1')
  try {
    await withPage(async ({ page, problems }) => {
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      t.is(await page.title(), 'here')
      t.true(problems.includes('broken'), problems.join())
      t.true(problems.includes('a request to another machine: https://example.com/a.png'), problems.join())
    })
  } finally {
    server.close()
  }
})

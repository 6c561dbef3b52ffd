import { withPage } from './support/browser.ts'
for (const scheme of ['light', 'dark'] as const) await withPage(async ({ page, problems }) => {
  await page.emulateMedia({ colorScheme: scheme })
  await page.goto(process.argv[2]!)
  await page.getByText('12 pictures of').waitFor()
  await page.screenshot({ path: `/root/wt/show-16/web-page-${scheme}.png` })
  console.log(problems, await page.locator('#status').textContent())
}, { width: 1000, height: 720 })

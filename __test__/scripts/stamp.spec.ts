/** What `npm start` builds again, and what it does not. */
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { steps } from '../../scripts/build.mjs'
import { hashInputs, isFresh, writeStamp } from '../../scripts/stamp.mjs'
import { folder } from '../support/folder.ts'

const step = { inputs: ['crates', 'Cargo.lock'], outputs: ['native'], stamp: 'native/.stamp' }

async function built(): Promise<string> {
  const root = await folder()
  await mkdir(join(root, 'crates', 'tensor'), { recursive: true })
  await mkdir(join(root, 'native'))
  await writeFile(join(root, 'crates', 'tensor', 'lib.rs'), 'fn one() {}')
  await writeFile(join(root, 'Cargo.lock'), 'tensor')
  await writeFile(join(root, 'native', 'addon.node'), 'compiled')
  writeStamp(step, hashInputs(step, root), root)
  return root
}

test('a step without a stamp runs', (t) => t.false(isFresh(step, join(tmpdir(), 'no such folder'))))

test('a step whose files have not changed does not run, whatever their times say', async (t) => {
  const root = await built()
  await utimes(join(root, 'crates', 'tensor', 'lib.rs'), 0, 0)
  t.true(isFresh(step, root))
})

const changes: Record<string, (root: string) => Promise<unknown>> = {
  'a changed source': (root) => writeFile(join(root, 'crates', 'tensor', 'lib.rs'), 'fn two() {}'),
  'a new source': (root) => writeFile(join(root, 'crates', 'new.rs'), ''),
  'a removed source': (root) => rm(join(root, 'crates', 'tensor', 'lib.rs')),
  'a changed lock file': (root) => writeFile(join(root, 'Cargo.lock'), 'tensor, rayon'),
  'a removed lock file': (root) => rm(join(root, 'Cargo.lock')),
  'a changed output': (root) => writeFile(join(root, 'native', 'addon.node'), 'damaged'),
  'a removed output': (root) => rm(join(root, 'native', 'addon.node')),
  'a removed folder of outputs': (root) => rm(join(root, 'native'), { recursive: true }),
}
for (const [what, change] of Object.entries(changes)) {
  test(`a step runs again after ${what}`, async (t) => {
    const root = await built()
    await change(root)
    t.false(isFresh(step, root))
  })
}

test('what changes while a step runs is built the next time', async (t) => {
  const root = await built()
  const inputs = hashInputs(step, root)
  await writeFile(join(root, 'Cargo.lock'), 'changed by an editor')
  writeStamp(step, inputs, root)
  t.false(isFresh(step, root))
})

test('a stamp lies among the outputs of its step, so that both are removed together', (t) => {
  for (const { outputs, stamp } of steps) t.is(outputs[0]!.split('/')[0], stamp.split('/')[0])
})

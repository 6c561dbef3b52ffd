/** What the published packages say of themselves, and in which order they are published. */
import test from 'ava'
import { publicationOrder } from '../../scripts/publish.mjs'
import { targets } from '../../scripts/release-addon.mjs'
import { newestGlibc } from '../packages/glibc.mjs'
import { platforms } from '../../ts/native/load.ts'

test('platforms are published before the root package, and none may be missing', (t) => {
  const names = ['stylegan-1.0.0.tgz', 'stylegan-win32-x64-msvc-1.0.0.tgz', 'stylegan-darwin-x64-1.0.0.tgz', 'log.txt']
  t.deepEqual(publicationOrder(names, 2), [names[2]!, names[1]!, names[0]!])
  t.throws(() => publicationOrder(names, 3), { message: /^the root package and those of 3 platforms are expected/ })
})

test('every platform that a package is made for has a target of Rust', (t) => {
  t.deepEqual(Object.keys(targets).sort(), [...platforms].sort())
})

test('the newest version of glibc that a file needs is compared by number', (t) => {
  t.deepEqual(newestGlibc(Buffer.from('\0GLIBC_2.9\0GLIBC_2.17\0GLIBC_2.2.5\0')), [2, 17])
  t.deepEqual(newestGlibc(Buffer.from('no names')), [0, 0])
})

/** The order of crates in ARCHITECTURE.md, read off their manifests. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'

const root = new URL('..', import.meta.url).pathname

test('Rust crates depend only on crates above them', async (t) => {
  const order = ['tensor', 'cpu-kernels', 'cpu', 'wgpu', 'autograd', 'data', 'linalg', 'node']
  const allowed: Record<string, string[]> = {
    tensor: [],
    'cpu-kernels': [],
    cpu: ['tensor', 'cpu-kernels'],
    wgpu: ['tensor'],
    autograd: ['tensor'],
    data: [],
    linalg: [],
    node: ['autograd', 'cpu', 'data', 'linalg', 'tensor', 'wgpu'],
  }
  for (const crate of await readdir(join(root, 'crates'))) {
    t.true(order.includes(crate), crate)
    const manifest = await readFile(join(root, 'crates', crate, 'Cargo.toml'), 'utf8')
    const dependencies = manifest.split('[dev-dependencies]')[0]!
    const found = [...dependencies.matchAll(/^stylegan-([\w-]+)/gm)].map((match) => match[1]!)
    for (const name of found) t.true(allowed[crate]!.includes(name), `${crate} must not depend on ${name}`)
  }
})

test('only crate node knows Node, only crate cpu knows candle', async (t) => {
  for (const crate of await readdir(join(root, 'crates'))) {
    const manifest = await readFile(join(root, 'crates', crate, 'Cargo.toml'), 'utf8')
    t.is(/^napi/m.test(manifest), crate === 'node', crate)
    t.is(/^candle-core/m.test(manifest), crate === 'cpu', crate)
    t.is(/^wgpu/m.test(manifest), crate === 'wgpu', crate)
  }
})

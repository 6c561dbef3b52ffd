import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { avatar } from '../../ts/data/avatars.ts'
import { projectCommand } from '../../ts/cli/project.ts'
import { generateCommand } from '../../ts/cli/generate.ts'
import { encodeProjected } from '../../ts/figures/projected.ts'
import { encodePng } from '../../ts/native/index.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { folder } from '../support/folder.ts'
import { stylegan } from '../support/command.ts'

async function face(): Promise<string> {
  const path = join(await folder(), 'face.png')
  await writeFile(path, await encodePng(avatar(100_000, 64).pixels, 64, 64, 3))
  return path
}

const checkpoint = (name: string) => new URL(`../fixtures/checkpoints/${name}`, import.meta.url).pathname

/** A command in this process, whose errors are thrown. */
const projectWith = (...args: string[]) => projectCommand().exitOverride().parseAsync(args, { from: 'user' })
const generateWith = (...args: string[]) => generateCommand().exitOverride().parseAsync(args, { from: 'user' })

test('a command that is interrupted says so, and run again it ends as one that was not', async (t) => {
  const target = await face()
  const args = (outdir: string) => [
    'project',
    '--network',
    'avatars',
    '--target',
    target,
    '--num-steps',
    '40',
    '--outdir',
    outdir,
  ]
  const [whole, halves] = [await folder(), await folder()]
  t.is((await stylegan(args(whole))).code, 0)
  let sent = false
  const stopped = await stylegan([...args(halves), '--json'], {
    onOutput: (out, kill) => {
      if (sent || !out.includes('"step"')) return
      sent = true
      kill('SIGINT')
    },
  })
  t.is(stopped.code, 130, stopped.err)
  t.regex(stopped.err, /Stopping after this step; the same command goes on\./)
  const events = stopped.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  t.like(events.at(-1), { type: 'end', aborted: true })
  // What docs/json.md lists of each.
  const page = await readFile(new URL('../../docs/json.md', import.meta.url), 'utf8')
  const section = page.split('\n## ').find((text) => text.startsWith('`stylegan project'))!
  for (const { type, ...fields } of events) {
    const listed = new RegExp(`^\\| \`${String(type)}\` \\| (.*?) \\|`, 'm').exec(section)?.[1] ?? ''
    t.deepEqual(
      Object.keys(fields),
      [...listed.matchAll(/`(\w+)`/g)].map((match) => match[1]!),
      String(type),
    )
  }
  t.deepEqual(await readdir(halves), ['projection.safetensors'])
  const again = await stylegan(args(halves))
  t.is(again.code, 0, again.err)
  t.regex(again.out, /Going on after step \d+ of 40/)
  for (const name of await readdir(whole))
    t.deepEqual(await readFile(join(halves, name)), await readFile(join(whole, name)), name)
  t.deepEqual(await readdir(halves), await readdir(whole))

  // What was found is drawn again, and enlarged.
  const drawn = await stylegan([
    'generate',
    '--network',
    'avatars',
    '--projected-w',
    join(whole, 'projected_w.npz'),
    '--outdir',
    halves,
  ])
  t.is(drawn.code, 0, drawn.err)
  t.deepEqual(await readFile(join(halves, 'proj00.png')), await readFile(join(whole, 'proj.png')))
})

test('what cannot be projected is told in one sentence', async (t) => {
  const [target, outdir] = [await face(), await folder()]
  const text = join(outdir, 'text.png')
  await writeFile(text, 'no image')
  const none = join(outdir, 'none.png')
  const refused = async (message: RegExp, ...args: string[]) => {
    const error = await t.throwsAsync(projectWith('--outdir', outdir, '--num-steps', '1', ...args))
    t.regex(error.message, message)
    t.notRegex(error.message, /\n/)
  }
  const avatars = ['--network', 'avatars', '--target']
  await refused(/none\.png: an image is expected, got nothing; check the path$/, ...avatars, none)
  await refused(/: an image is expected, got a folder; give the path of a file$/, ...avatars, outdir)
  await refused(/text\.png: .*; give another image$/, ...avatars, text)
  await refused(/nothing; check the path$/, '--network', none, '--target', target)
  await refused(/vgg16-397923af\.pth.*nothing at/, ...avatars, target, '--weights', outdir)
  await refused(/--lpips: it belongs to --weights or --vgg; leave it out/, ...avatars, target, '--lpips', 'x.pth')
  const labels = checkpoint('nvlabs/labels16/network.pkl')
  await refused(/^class: .*from 0 to/, '--network', labels, '--target', target)
  await t.notThrowsAsync(
    projectWith(
      '--outdir',
      await folder(),
      '--num-steps',
      '1',
      '--network',
      labels,
      '--target',
      target,
      '--class',
      '0',
    ),
  )
  t.deepEqual(await readdir(outdir), ['text.png'])
})

test('options of seeds do not go with the w of a file', async (t) => {
  const args = ['--network', 'avatars', '--projected-w', 'w.npz']
  for (const more of [['--seeds', '1'], ['--trunc', '0.5'], ['--class', '0'], ['--grid', '1x1'], ['--uncurated']]) {
    await t.throwsAsync(generateWith(...args, ...more), {
      message: `${more[0]}: --projected-w draws the w of a file as it is; leave it out`,
    })
  }
  await t.throwsAsync(generateWith(...args), {
    message: /^w\.npz: a \.npz file with w is expected, got nothing; check the path$/,
  })
})

test('each w of a file has a noise seed of its own, from any first one', async (t) => {
  const [G, outdir] = [await loadGenerator('avatars'), await folder()]
  const w = await G.mapping({ seeds: [5, 5] })
  const path = join(outdir, 'w.npz')
  await writeFile(path, Buffer.concat([...encodeProjected({ w })]))
  const args = ['--network', 'avatars', '--projected-w', path, '--noise-mode', 'random', '--noise-seed', '0']
  await generateWith(...args, '--outdir', outdir)
  const [first, second] = await Promise.all(['00', '01'].map((i) => readFile(join(outdir, `proj${i}.png`))))
  t.notDeepEqual(first, second)
})

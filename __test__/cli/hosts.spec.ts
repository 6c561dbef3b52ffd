/** Two hosts, as network namespaces of this machine, where that is permitted. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { main } from '../support/command.ts'
import { folder } from '../support/folder.ts'
import { bitsIn, dividedFlags, start, starters, training } from '../support/mpi.ts'
import { tinyDataset } from '../support/tiny.ts'

const ip = (...args: string[]) => spawnSync('ip', args).status === 0
const hosts = ['a', 'b'].map((letter, i) => ({
  name: `stylegan-${process.pid}${letter}`,
  link: `sg${process.pid}${letter}`,
  address: `10.99.${process.pid % 256}.${i + 1}`,
}))

const relay = `stylegan-${process.pid}r`
const script = fileURLToPath(new URL('../support/relay.py', import.meta.url))

/** Makes both and the cable between them; false where this user or kernel may not. */
function connect(): boolean {
  const [a, b] = hosts as [(typeof hosts)[number], (typeof hosts)[number]]
  return (
    hosts.every(({ name }) => ip('netns', 'add', name) && ip('-n', name, 'link', 'set', 'lo', 'up')) &&
    ip('link', 'add', a.link, 'netns', a.name, 'type', 'veth', 'peer', 'name', b.link, 'netns', b.name) &&
    hosts.every(({ name, link, address }) => {
      return ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', link) && ip('-n', name, 'link', 'set', link, 'up')
    })
  )
}

const openMpi = starters.find(({ name }) => name === 'Open MPI')
const isPossible = openMpi !== undefined && process.platform === 'linux' && connect()
const onTwoHosts = isPossible ? test.serial : test.skip
/** Ends what still runs on both hosts. */
function endAll(): void {
  for (const name of [...hosts.map(({ name }) => name), relay]) {
    const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' })
    spawnSync('kill', ['-9', ...(stdout.match(/\d+/g) ?? [])])
  }
}

test.after.always(() => {
  if (isPossible) endAll()
  for (const name of [...hosts.map(({ name }) => name), relay]) ip('netns', 'del', name)
})

/** The command of `stylegan train` by a process on each host. */
async function onBoth(flags: readonly string[]): Promise<string[]> {
  const reach = join(await folder(), 'reach')
  const cases = hosts.map(({ name, address }) => `${address}) name=${name};;`).join(' ')
  const script = `case "$1" in ${cases} esac\nshift\nexec ip netns exec "$name" unshare -u sh -c "hostname $name; $*"`
  await writeFile(reach, `#!/bin/sh\n${script}\n`)
  await chmod(reach, 0o755)
  const subnet = hosts[0]!.address.replace(/\d+$/, '0/24')
  const network = { plm_rsh_agent: reach, btl: 'tcp,self', btl_tcp_if_include: subnet, oob_tcp_if_include: subnet }
  const settings = Object.entries(network).flatMap(([name, value]) => ['--mca', name, value])
  const places = ['--host', hosts.map(({ address }) => `${address}:1`).join(), '--map-by', 'node']
  const train = [process.execPath, main, 'train', '--preset', 'demo', ...flags]
  const mpirun = [...openMpi!.command, ...settings, ...places, '-n', '2', ...train]
  return ['ip', 'netns', 'exec', hosts[0]!.name, 'unshare', '-u', ...mpirun]
}

const flagsIn = async (outdir: string, ...more: string[]) => {
  return [...dividedFlags, '--data', await tinyDataset(), '--outdir', outdir, ...more]
}

onTwoHosts('processes on two hosts train to the bits of one process', async (t) => {
  const [both, one] = [await folder(), await folder()]
  const { code, out, err } = await start(await onBoth(await flagsIn(both)))
  t.is(code, 0, err)
  t.regex(out, new RegExp(`^Processes +2: rank 0 \\(.*\\), rank 1 \\(${hosts[1]!.name}, process`, 'm'))
  t.is((await training(undefined, 1, await flagsIn(one))).code, 0)
  t.is(await bitsIn(both), await bitsIn(one))
})

onTwoHosts('a host that is cut off is named, and the others end', async (t) => {
  const run = start(await onBoth(await flagsIn(await folder(), '--kimg', '100', '--timeout', '2')))
  await run.until(/^tick 1 /m)
  ip('-n', hosts[1]!.name, 'link', 'set', hosts[1]!.link, 'down')
  const said = await run.until(/stylegan: .*/)
  t.regex(
    said,
    new RegExp(`stylegan: rank 1 \\(${hosts[1]!.name}, .* has given no sign of life for 2 seconds; the same`),
  )
  // Open MPI's mpirun itself waits for the daemon of the lost host.
  endAll()
  t.not((await run).code, 0)
})

/** Puts a slow line in the place of the cable: little bandwidth, and a relay that takes its time. */
async function slowDown(): Promise<boolean> {
  const ends = hosts.map(({ link }) => `${link}r`)
  const laid = hosts.every(({ name, link, address }, i) => {
    ip('-n', name, 'link', 'del', link)
    return (
      ip('link', 'add', link, 'netns', name, 'type', 'veth', 'peer', 'name', ends[i]!, 'netns', relay) &&
      ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', link) &&
      ip('-n', name, 'link', 'set', link, 'up') &&
      ip('-n', relay, 'link', 'set', ends[i]!, 'up') &&
      ip(
        'netns',
        'exec',
        name,
        'tc',
        ...`qdisc add dev ${link} root tbf rate 100mbit burst 64kb latency 400ms`.split(' '),
      )
    )
  })
  if (!laid) return false
  const child = spawn('ip', ['netns', 'exec', relay, 'python3', script, '0.01', ...ends])
  await once(child.stdout, 'data')
  return true
}

onTwoHosts('over a slow line with a delay of 10 ms the bits are the same', async (t) => {
  if (!ip('netns', 'add', relay) || !(await slowDown())) return t.pass('no traffic control here')
  const refused = `import net from 'node:net'; const began = Date.now()
    net.connect(9, '${hosts[1]!.address}').on('error', () => console.log(Date.now() - began))`
  const ask = ['netns', 'exec', hosts[0]!.name, process.execPath, '--input-type=module', '-e', refused]
  const { stdout } = spawnSync('ip', ask, { encoding: 'utf8' })
  t.true(Number(stdout) >= 20, stdout)
  const [both, one] = [await folder(), await folder()]
  const { code, err } = await start(await onBoth(await flagsIn(both)))
  t.is(code, 0, err)
  t.is((await training(undefined, 1, await flagsIn(one))).code, 0)
  t.is(await bitsIn(both), await bitsIn(one))
})

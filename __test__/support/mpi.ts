/** MPICH and Open MPI, as far as they are installed, and training with them. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { flagsOf, main, tinyFlags, type Result } from './command.ts'
import { folder } from './folder.ts'

/** What starts processes. */
export interface Starter {
  readonly name: 'MPICH' | 'Open MPI'
  readonly command: readonly string[]
}

const asRoot = process.getuid?.() === 0 ? ['--allow-run-as-root'] : []
/** Debian has both side by side. */
const known: readonly Starter[] = [
  { name: 'MPICH', command: ['mpiexec.mpich'] },
  { name: 'Open MPI', command: ['mpiexec.openmpi', '--oversubscribe', '--bind-to', 'none', ...asRoot] },
]
export const starters = known.filter(({ command }) => spawnSync(command[0]!, ['--version']).error === undefined)

/** A folder with this starter as `mpiexec`, for `PATH`. */
export async function asMpiexec({ command }: Starter): Promise<string> {
  const dir = await folder()
  await writeFile(join(dir, 'mpiexec'), `#!/bin/sh\nexec ${command[0]} "$@"\n`)
  await chmod(join(dir, 'mpiexec'), 0o755)
  return dir
}

/** Flags of a tiny run of 12 steps whose minibatch has four parts. */
export const dividedFlags = [...tinyFlags, ...flagsOf({ batch: 16, gpus: 4, kimg: 0.192, tick: 0.064 })]

export interface Started extends PromiseLike<Result> {
  readonly child: ChildProcess
  /** Resolves with what was printed so far when that matches. */
  readonly until: (pattern: RegExp) => Promise<string>
}

/** Starts a program and collects what it prints; what still runs after some time is ended. */
export function start(command: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(command[0]!, command.slice(1), { env: { ...process.env, ...env }, detached: true })
  const timer = setTimeout(() => child.kill('SIGKILL'), 90_000)
  let [out, err] = ['', '']
  const waiting: { pattern: RegExp; resolve: (text: string) => void }[] = []
  const told = () => {
    for (const one of waiting) if (one.pattern.test(out + err)) one.resolve(out + err)
  }
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString()
    told()
  })
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString()
    told()
  })
  const result = new Promise<Result>((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer)
      for (const one of waiting) one.resolve(out + err)
      resolve({ code, out, err })
    })
  })
  const until = (pattern: RegExp) =>
    new Promise<string>((resolve) => {
      waiting.push({ pattern, resolve })
      told()
    })
  return { child, until, then: (...handlers) => result.then(...handlers) }
}

/** `stylegan train` by so many processes; by one without a starter. */
export function training(starter: Starter | undefined, processes: number, flags: readonly string[]): Started {
  const train = [process.execPath, main, 'train', '--preset', 'demo', ...flags]
  return start(starter ? [...starter.command, '-n', String(processes), ...train] : train)
}

/** The process of a rank, by the line that a run begins with. */
export const pidOf = (text: string, rank: number): number =>
  Number(new RegExp(`rank ${rank} \\([^)]*process (\\d+)\\)`).exec(text)?.[1])

/** A hash of all that the newest snapshot of the one run in a folder holds. */
export async function bitsIn(outdir: string): Promise<string> {
  const run = (await readdir(outdir)).find((name) => name.startsWith('demo'))!
  const names = (await readdir(join(outdir, run))).filter((name) => name.endsWith('.safetensors')).sort()
  const { tensors, metadata } = await readSafetensors(join(outdir, run, names.at(-1)!))
  const hash = createHash('sha256').update(String((JSON.parse(metadata['position']!) as { nimg: number }).nimg))
  for (const [name, { values }] of tensors) {
    hash.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }
  return hash.digest('hex')
}

/** The kind of a machine, such as `amd-epyc-zen4-avx512`: what speed depends on, and nothing that names the machine. */
import { existsSync, readFileSync } from 'node:fs'
import { arch, cpus } from 'node:os'

/** Cores by vendor, family and model (Linux, arch/x86/include/asm/intel-family.h; AMD's processor programming references). */
const cores: readonly [vendor: string, family: number, from: number, to: number, name: string][] = [
  ['amd', 23, 0x00, 0x2f, 'zen'],
  ['amd', 23, 0x30, 0xff, 'zen2'],
  ['amd', 25, 0x10, 0x1f, 'zen4'],
  ['amd', 25, 0x60, 0xaf, 'zen4'],
  ['amd', 25, 0x00, 0x5f, 'zen3'],
  ['amd', 26, 0x00, 0xff, 'zen5'],
  ['intel', 6, 0x55, 0x55, 'skylake'],
  ['intel', 6, 0x6a, 0x6c, 'icelake'],
  ['intel', 6, 0x8f, 0x8f, 'sapphirerapids'],
  ['intel', 6, 0xcf, 0xcf, 'emeraldrapids'],
  ['intel', 6, 0xad, 0xae, 'graniterapids'],
]

/** @param info the content of `/proc/cpuinfo`, where there is one */
export function kindOf(info: string, model: string): string {
  const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(info)?.[1] ?? ''
  const vendor = /amd/i.test(field('vendor_id')) ? 'amd' : /intel/i.test(field('vendor_id')) ? 'intel' : ''
  const [family, number] = [Number(field('cpu family')), Number(field('model'))]
  const core = cores.find(([v, f, from, to]) => v === vendor && f === family && from <= number && number <= to)
  const flags = new Set(field('flags').split(' '))
  const sets = [['amx_tile', 'amx'] as const, ['avx512f', 'avx512'] as const, ['avx2', 'avx2'] as const]
  const widest = sets.find(([flag]) => flags.has(flag))?.[1] ?? arch()
  const line = /epyc|xeon|ryzen|core|apple m\d/i.exec(model)?.[0].toLowerCase().replace(' ', '-')
  const name = core?.[4] ?? (vendor && `family${family}-model${number}`)
  return [vendor, line, name, widest].filter(Boolean).join('-')
}

/** This machine's. */
export function thisKind(): string {
  const path = '/proc/cpuinfo'
  return kindOf(existsSync(path) ? readFileSync(path, 'utf8') : '', cpus()[0]?.model ?? '')
}

/** `stylegan devices`: what there is to compute on. */
import { Command } from 'commander'
import { listDevices, type CpuInfo, type GpuInfo } from '../native/index.ts'
import { formatBytes } from '../files/units.ts'
import { sayJson } from './arguments.ts'
import { precisions } from '../networks/precision.ts'

export function devicesCommand(): Command {
  return new Command('devices')
    .description('List what --device can name here, and what auto means.')
    .option('--json', 'as JSON, for programs')
    .action(({ json }: { json?: boolean }) => {
      const devices = listDevices()
      if (json) sayJson(devices)
      else console.log(devices.map(describe).join('\n'))
    })
}

function describe(info: CpuInfo | GpuInfo): string {
  const mark = info.auto ? ' (auto)' : ''
  const rows = 'kind' in info ? gpuRows(info) : cpuRows(info)
  return [`${info.device}${mark}`, ...rows.map(([name, value]) => `  ${name.padEnd(12)} ${value}`)].join('\n')
}

type Row = [name: string, value: string]

function cpuRows({ name, cores, simd, bf16, memoryBytes }: CpuInfo): Row[] {
  return [
    ['name', name],
    ['cores', `${cores}`],
    ['vectors', simd],
    ['precision', bf16 ? 'f32, bf16' : 'f32'],
    ['memory', formatBytes(memoryBytes)],
  ]
}

function gpuRows(gpu: GpuInfo): Row[] {
  const [least, most] = gpu.subgroups
  return [
    ['name', gpu.name],
    ['type', gpu.kind === 'software' ? 'software: for tests, slower than cpu' : gpu.kind],
    ['backend', gpu.backend],
    ['driver', gpu.driver],
    ['tensors', `up to ${formatBytes(gpu.maxBufferBytes)}, ${formatBytes(gpu.maxTensorBytes)} at once`],
    ['f16', yes(gpu.f16)],
    // What feature maps can be stored in, whatever kernels compute in: no GPU needs a feature for it.
    ['precision', precisions.join(', ')],
    ['subgroups', least === undefined ? 'no' : least === most ? `of ${least}` : `of ${least} to ${most}`],
    ['matrices', gpu.matrices === undefined ? 'no' : `f16 ${gpu.matrices}x${gpu.matrices}`],
    ['timestamps', yes(gpu.timestamps)],
  ]
}

const yes = (value: boolean) => (value ? 'yes' : 'no')

/** `stylegan bench`: how fast this machine is, to compare it with another. */
import { Command, Option } from 'commander'
import {
  convolutionWorkloads,
  machine,
  measure,
  measurementLine,
  networkWorkloads,
  type ConvolutionShape,
  type Measurement,
  type NetworkShape,
} from '../performance/benchmark.ts'
import { precisions, type Precision } from '../networks/precision.ts'
import { formatBytes, plural } from '../files/units.ts'
import { deviceHelp, openDevice, positiveTo, sayJson } from './arguments.ts'

/** Layers as the networks below have them: wide and small, narrow and large, and one that halves the size. */
const convolutions: readonly ConvolutionShape[] = [
  { N: 16, side: 8, C: 128, O: 128, k: 3, stride: 1 },
  { N: 16, side: 32, C: 64, O: 64, k: 3, stride: 1 },
  { N: 16, side: 32, C: 64, O: 64, k: 4, stride: 2 },
]

/** The demo's networks, and twice as wide ones. */
const networks: readonly NetworkShape[] = [
  { resolution: 32, fmapBase: 512, fmapMax: 64, latentSize: 128, batch: 8 },
  { resolution: 32, fmapBase: 2048, fmapMax: 128, batch: 16 },
]

export function benchCommand(): Command {
  return new Command('bench')
    .description('Time convolutions, training steps and generation on this machine, in less than half a minute.')
    .option('--device <name>', deviceHelp, 'cpu')
    .addOption(
      new Option('--precision <type>', 'what feature maps are stored or multiplied in')
        .choices(precisions)
        .default('f32'),
    )
    .addOption(new Option('--seconds <s>', 'length of each measurement').argParser(positiveTo(3600)).default(0.5))
    .option('--json', 'print JSON instead of a table')
    .addHelpText(
      'after',
      `
GFLOP/s count the work of the direct form. RAYON_NUM_THREADS=1 times one thread of the cpu device,
STYLEGAN_ISA=avx2 leaves its AVX-512 unused.

Examples:
  $ stylegan bench
  $ stylegan bench --device wgpu --precision bf16
  $ stylegan bench --precision bf16
  $ stylegan bench --json > this-machine.json`,
    )
    .action(run)
}

interface BenchOptions {
  device: string
  precision: Precision
  seconds: number
  json?: boolean
}

async function run(options: BenchOptions): Promise<void> {
  const { precision } = options
  const device = openDevice(options.device)
  const host = machine()
  const { cpu, arch, cores, threads, memoryGb, node } = host
  const say = (line: string) => {
    if (!options.json) console.log(line)
  }
  say(`Machine   ${cpu}, ${arch}, ${cores} ${plural(cores, 'core')}, ${memoryGb} GB, Node.js ${node}`)
  say(`Device    ${device.name}${device.name === 'cpu' ? `, ${threads} ${plural(threads, 'thread')}` : ''}\n`)
  const measurements: Measurement[] = []
  const workloads = function* () {
    for (const shape of convolutions) yield* convolutionWorkloads(device, { ...shape, precision })
    for (const shape of networks) yield* networkWorkloads(device, { ...shape, precision })
  }
  for (const workload of workloads()) {
    const measurement = await measure(device, workload, options.seconds)
    measurements.push(measurement)
    say(measurementLine(measurement))
  }
  const { peak } = device.memory()
  say(`\nMost memory on the device: ${formatBytes(peak)}`)
  if (!options.json) return
  const result = { device: options.device, precision, machine: host, measurements, peakBytes: peak }
  sayJson(result)
}

/** Which devices this machine has, and which one a name means. */
import { availableParallelism, cpus, totalmem } from 'node:os'
import { call, native } from './addon.ts'

/** The processor, as the device `cpu` uses it. */
export interface CpuInfo {
  readonly device: 'cpu'
  readonly name: string
  readonly cores: number
  /** The widest vectors that kernels use. */
  readonly simd: string
  /** Whether convolutions can multiply bf16 by bf16. */
  readonly bf16: boolean
  readonly memoryBytes: number
  /** Whether `auto` means this device. */
  readonly auto: boolean
}

/** A GPU, or a program that acts as one. */
export interface GpuInfo {
  /** `wgpu:0`, `wgpu:1`, …; `wgpu` is the first. */
  readonly device: string
  readonly name: string
  readonly kind: string
  /** The interface below WebGPU: vulkan, metal or dx12. */
  readonly backend: string
  readonly driver: string
  /** The largest part of a tensor that one kernel sees; what is larger is computed in parts. */
  readonly maxTensorBytes: number
  readonly maxBufferBytes: number
  readonly f16: boolean
  /** Fewest and most invocations that run together; empty where kernels cannot use it. */
  readonly subgroups: readonly number[]
  /** Rows and columns of the cooperative matrices that products of f16 are made of, if the GPU has such units. */
  readonly matrices?: number
  /** Whether the GPU tells how long a kernel took. */
  readonly timestamps: boolean
  readonly auto: boolean
}

/** Whether convolutions of the device `cpu` could multiply bf16 by bf16, but for `STYLEGAN_ISA`. */
export function hidesBf16(): boolean {
  return native.hidesBf16()
}

/** The processor, then the GPUs in the order of their names, fastest kind first. */
export function listDevices(): [CpuInfo, ...GpuInfo[]] {
  const adapters = call(() => native.adapters())
  const best = adapters.find(({ isHardware }) => isHardware)
  const cpu = {
    device: 'cpu',
    name: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    simd: call(() => native.simd()),
    bf16: native.multipliesBf16(),
    memoryBytes: totalmem(),
    auto: best === undefined,
  } as const
  return [
    cpu,
    ...adapters.map(({ isHardware: _, ...adapter }) => ({ ...adapter, auto: adapter.device === best?.device })),
  ]
}

/** What the name of a device means here. */
export interface Choice {
  readonly device: string
  /** What `auto` chose and why, in one line. */
  readonly note?: string | undefined
}

/**
 * The device that a name means. `auto` is the best GPU; a program that acts as one is never chosen, since the processor is far
 * faster; where there is no GPU, it is `cpu`.
 *
 * @param list what {@link listDevices} gives, asked only where the name needs it
 * @param turn number of this process among those of the machine: each takes the next GPU where no number is named
 * @throws RangeError listing the names that there are
 */
export function chooseDevice(name: string, list: () => readonly (CpuInfo | GpuInfo)[] = listDevices, turn = 0): Choice {
  if (['cpu', 'reference', 'test'].includes(name)) return { device: name }
  const devices = list()
  const gpus = devices.filter((info) => 'kind' in info)
  if (name === 'auto') {
    const good = gpus.find(({ auto }) => auto)
    const alike = gpus.filter(({ kind, backend }) => kind === good?.kind && backend === good.backend)
    const best = turn === 0 ? good : alike[turn % alike.length]
    if (best) return { device: best.device, note: `auto chose ${best.device}: ${best.name} (${best.backend})` }
    const software = gpus.map((gpu) => `${gpu.device} is software, ${gpu.name}`)
    return {
      device: 'cpu',
      note: `auto found no GPU, so the device is cpu${software.map((text) => `; ${text}`).join('')}`,
    }
  }
  if (name === 'wgpu' && turn > 0 && gpus.length > 0) return { device: `wgpu:${turn % gpus.length}` }
  if ((name === 'wgpu' && gpus.length > 0) || gpus.some(({ device }) => device === name)) return { device: name }
  const names = ['auto', ...devices.map(({ device }) => device), 'reference']
  throw new RangeError(`device '${name}': one of ${names.join(', ')} is expected; 'stylegan devices' tells about them`)
}

/** What `stylegan train` prints while it trains. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { formatKimg, formatTime, plural } from '../files/units.ts'
import { discriminatorSpecs } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { countParams, type ParamSpec } from '../networks/params.ts'
import type { TrainEvent } from '../runs/loop.ts'
import { networkOptions, type TrainConfig } from '../training/config.ts'
import { Progress } from './progress.ts'

/** Events as a person likes to see them: a line a tick, a bar in between where there is a terminal. */
export class Display {
  readonly #config: TrainConfig
  readonly #progress = new Progress()
  #trained = false
  readonly #plannedSec: number | undefined
  #began = 0
  #leftSec = 0
  #saidTime = false

  /** @param plannedSec what was measured for this run before it began, in place of its pace */
  constructor(config: TrainConfig, plannedSec?: number) {
    this.#config = config
    this.#plannedSec = plannedSec
  }

  show(event: TrainEvent): void {
    switch (event.type) {
      case 'prepare':
        return this.#progress.count('preparing images', event.done, event.total)
      case 'start':
        for (const line of this.#begin(event)) this.#progress.line(line)
        return
      case 'step': {
        this.#trained = true
        this.#leftSec = event.leftSec
        this.#sayTime(3)
        const left = formatTime(event.leftSec)
        const { kimg } = this.#config
        this.#progress.draw('kimg {kimg}/{total} {bar} {pace} sec/kimg, {left} left', kimg, event.nimg / 1000, {
          kimg: (event.nimg / 1000).toFixed(1),
          pace: event.secPerKimg.toFixed(event.secPerKimg < 100 ? 2 : 0),
          left,
        })
        return
      }
      case 'tick':
        this.#sayTime(0)
        return this.#progress.line(event.line)
      case 'profile':
        return this.#progress.lines(event.table)
      case 'images':
        return this.#progress.line(`Pictures       ${event.path}`)
      case 'snapshot':
        return this.#progress.line(`Snapshot       ${event.path}`)
      case 'notice':
        return this.#progress.line(`Note           ${event.line}`)
      case 'measuring':
        return this.#progress.count(`${event.metric}: ${event.what}`, event.done, event.total)
      case 'metric':
        return this.#progress.lines(event.line)
      case 'end':
        return this.#progress.line(
          event.aborted
            ? `Stopped after ${formatKimg(event.nimg)} kimg; the same command goes on from here.`
            : `${this.#trained ? 'Done' : 'Nothing to do, --kimg is already reached'}: ${formatKimg(event.nimg)} kimg. A larger --kimg trains on.`,
        )
    }
  }
  /** What is trained, on how many images, where, how large it is, and where to look; how long follows. */
  #begin({ count, skipped, snapshot, nimg, dir }: Extract<TrainEvent, { type: 'start' }>): string[] {
    this.#began = performance.now()
    const { config, resolution, kimg, data } = this.#config
    return [
      `Training       ${resolution}x${resolution} images, configuration ${config}, ${kimg} kimg`,
      `Images         ${count} of ${data}${skipped ? `, ${skipped} unreadable left out` : ''}`,
      deviceLine(this.#config),
      networksLine(this.#config),
      `Results        ${join(dir, 'fakesNNNNNN.png')}, one at each tick`,
      ...(snapshot === undefined ? [] : [`${nimg > 0 ? 'Going on from ' : 'Weights from  '} ${snapshot}`]),
    ]
  }

  /** How long training will take, as planned or by its own pace: once it has gone on for some seconds, at the first tick at the latest. */
  #sayTime(afterSec: number): void {
    if (this.#saidTime || performance.now() - this.#began < afterSec * 1000) return
    this.#saidTime = true
    this.#progress.line(`Time           about ${formatTime(this.#plannedSec ?? this.#leftSec)} left`)
  }
}

export function deviceLine({ device }: TrainConfig): string {
  const cores = availableParallelism()
  return `Device         ${device}, ${cores} ${plural(cores, 'core')}`
}

export function networksLine(config: TrainConfig): string {
  const options = networkOptions(config)
  const count = (specs: readonly ParamSpec[]) => countParams(specs).toLocaleString('en')
  return `Networks       G ${count(generatorSpecs(options))}, D ${count(discriminatorSpecs(options))} parameters`
}

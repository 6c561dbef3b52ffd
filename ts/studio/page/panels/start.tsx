/** A training is chosen, estimated and started. */
import { useState } from 'preact/hooks'
import type { Job, TrainChoices, TrainOptions } from '../../protocol.ts'
import { messageOf, tell } from '../api.ts'
import { go, linkTo } from '../link.ts'
import { useLive } from '../live.ts'
import { Busy, Fault, Select } from '../parts/controls.tsx'
import { useAsked } from '../parts/network.tsx'
import { timeText } from '../text.ts'

/** Options that most trainings need; the others are behind a fold. */
const common = ['resolution', 'hours', 'kimg', 'mirror', 'desc']

/** Where the flag says too little. */
const names: Readonly<Record<string, string>> = {
  kimg: 'Length in kimg',
  hours: 'Length in hours',
  desc: 'Name',
  mirror: 'Mirror images',
}

const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

export function Start() {
  const choices = useAsked('api/train')
  const [given, setGiven] = useState<TrainOptions>({ preset: 'demo', data: 'builtin:avatars' })
  const [error, setError] = useState<string>()
  const [estimate, setEstimate] = useState<string>()
  const { jobs } = useLive()
  if (choices.value === undefined) {
    return (
      <>
        <h1>Start a training</h1>
        {choices.error === undefined ? <Busy text="Looking at the data…" /> : <Fault message={choices.error} />}
      </>
    )
  }
  const { data, presets, options } = choices.value
  const set = (key: string, value: string) => setGiven((old) => ({ ...old, [key]: value }))
  const attempt = (work: () => Promise<void>) => {
    setError(undefined)
    work().catch((reason: unknown) => setError(messageOf(reason)))
  }
  const onEstimate = () => attempt(async () => setEstimate((await tell('api/train/estimate', { options: given })).id))
  const onStart = () =>
    attempt(async () => {
      const { run } = await tell('api/train/start', { options: given })
      go(linkTo('start', '', { run }))
    })
  const isCommon = ({ key }: { key: string }) => common.includes(key)
  const field = (option: TrainChoices['options'][number]) => (
    <OptionField
      key={option.key}
      option={option}
      value={given[option.key] ?? ''}
      onInput={(value) => set(option.key, value)}
    />
  )
  const job = jobs.find(({ id }) => id === estimate)
  const started = jobs.filter(({ kind }) => kind === 'training')
  return (
    <>
      <header class="panel-head">
        <h1>Start a training</h1>
      </header>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault()
          onStart()
        }}
      >
        <Select label="Images" value={given['data'] ?? ''} onChoose={(value) => set('data', value)}>
          {data.map(({ value, title }) => (
            <option key={value} value={value}>
              {title}
            </option>
          ))}
        </Select>
        <Select
          label="Preset"
          value={given['preset'] ?? ''}
          onChoose={(value) => setGiven((old) => ({ ...old, preset: value, hours: '' }))}
        >
          <option value="">chosen by a measurement, for the hours below</option>
          {presets.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </Select>
        {common
          .filter((key) => key !== 'hours' || given['preset'] === '')
          .flatMap((key) => options.filter((option) => option.key === key))
          .map(field)}
        <details>
          <summary>All options</summary>
          <div class="form inner">{options.filter((option) => !isCommon(option)).map(field)}</div>
        </details>
        <div class="row">
          <button type="button" onClick={onEstimate}>
            Estimate
          </button>
          <button type="submit" class="primary">
            Start
          </button>
        </div>
      </form>
      <Fault message={error} />
      {job && <JobShown job={job} title="Estimate" isEstimate />}
      {started.length > 0 && (
        <section>
          <h2>Started here</h2>
          {started.toReversed().map((one) => (
            <JobShown key={one.id} job={one} title={one.state === 'running' ? 'Training' : 'Training, ended'} />
          ))}
          <p>
            <a href={linkTo('runs')}>All runs</a>
          </p>
        </section>
      )}
    </>
  )
}

interface OptionFieldProps {
  readonly option: TrainChoices['options'][number]
  readonly value: string
  readonly onInput: (value: string) => void
}

function OptionField({ option: { key, flag, help, kind }, value, onInput }: OptionFieldProps) {
  const id = `option-${key}`
  return (
    <div class={kind === 'flag' ? 'field flag' : 'field'}>
      <label for={id}>{names[key] ?? capitalised(flag.replace(/^--/, '').replaceAll('-', ' '))}</label>
      {kind === 'flag' ? (
        <select
          id={id}
          value={value}
          onChange={(event) => onInput(event.currentTarget.value)}
          aria-describedby={`${id}-help`}
        >
          <option value="">as the preset</option>
          <option value="true">yes</option>
          <option value="false">no</option>
        </select>
      ) : (
        <input
          id={id}
          value={value}
          placeholder={key === 'hours' ? '8' : 'as the preset'}
          autocomplete="off"
          aria-describedby={`${id}-help`}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      )}
      <small id={`${id}-help`}>{help}</small>
    </div>
  )
}

/** What an estimate says begins here. */
const firstLine = /^(Timeline|Estimate)/

function JobShown({
  job,
  title,
  isEstimate = false,
}: {
  readonly job: Job
  readonly title: string
  readonly isEstimate?: boolean
}) {
  const { state, seconds, lines, command } = job
  const first = lines.findIndex((line) => firstLine.test(line))
  const shown = isEstimate && state === 'done' && first >= 0 ? lines.slice(first) : lines.slice(-8)
  return (
    <section class="job" aria-label={title}>
      <h3>
        {title} <span class="muted">{timeText(seconds)}</span>
      </h3>
      {state === 'running' && isEstimate && <Busy text="Measuring a few steps of each resolution…" />}
      {state === 'failed' && (
        <Fault message={(lines.at(-1) ?? 'It ended without a word.').replace(/^stylegan: /, '')} />
      )}
      {state !== 'failed' && (state !== 'running' || !isEstimate) && shown.length > 0 && (
        <pre tabIndex={0}>{shown.join('\n')}</pre>
      )}
      <details>
        <summary>Command</summary>
        <pre tabIndex={0}>{command}</pre>
      </details>
    </section>
  )
}

/** Controls with names: sliders, choices, numbers. */
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useState } from 'preact/hooks'
import { change } from '../link.ts'
import { Icon } from './icon.tsx'

interface SliderProps {
  readonly label: string
  readonly value: number
  readonly min: number
  readonly max: number
  readonly step: number
  readonly text?: (value: number) => string
  readonly onInput: (value: number) => void
  readonly disabled?: boolean
}

export function Slider({ label, value, min, max, step, text = String, onInput, disabled = false }: SliderProps) {
  const id = useId()
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <output for={id}>{text(value)}</output>
      <input
        id={id}
        type="range"
        {...{ min, max, step, value, disabled }}
        aria-valuetext={text(value)}
        onInput={(event) => onInput(Number(event.currentTarget.value))}
      />
    </div>
  )
}

interface ChoiceProps<T extends string> {
  readonly label: string
  readonly value: T
  readonly choices: readonly (readonly [value: T, text: string])[]
  readonly onChoose: (value: T) => void
}

/** A few choices side by side. */
export function Choice<T extends string>({ label, value, choices, onChoose }: ChoiceProps<T>) {
  const name = useId()
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      <div>
        {choices.map(([one, text]) => (
          <label key={one}>
            <input type="radio" name={name} checked={one === value} onChange={() => onChoose(one)} />
            <span>{text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}

interface NumberBoxProps {
  readonly label: string
  readonly value: number
  readonly min: number
  readonly max: number
  readonly onInput: (value: number) => void
}

/** A whole number; what is half typed changes nothing. */
export function NumberBox({ label, value, min, max, onInput }: NumberBoxProps) {
  const id = useId()
  const [typed, setTyped] = useState(String(value))
  useEffect(() => setTyped(String(value)), [value])
  const read = (text: string) => {
    setTyped(text)
    const number = Number(text)
    if (text.trim() !== '' && Number.isInteger(number) && number >= min && number <= max) onInput(number)
  }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        inputMode="numeric"
        {...{ min, max }}
        value={typed}
        onInput={(event) => read(event.currentTarget.value)}
        onBlur={() => setTyped(String(value))}
      />
    </div>
  )
}

interface SelectProps {
  readonly label: string
  readonly value: string
  readonly onChoose: (value: string) => void
  readonly children: ComponentChildren
}

export function Select({ label, value, onChoose, children }: SelectProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {children}
      </select>
    </div>
  )
}

interface PagerProps {
  /** What the pictures are. */
  readonly what: string
  readonly first: number
  readonly size: number
}

/** To the pictures before and after those that are shown. */
export function Pager({ what, first, size }: PagerProps) {
  return (
    <div class="row">
      <button
        type="button"
        class="square"
        aria-label={`${what} before`}
        disabled={first === 0}
        onClick={() => change({ first: Math.max(0, first - size) || undefined })}
      >
        <Icon name="left" />
      </button>
      <button type="button" class="square" aria-label={`${what} after`} onClick={() => change({ first: first + size })}>
        <Icon name="right" />
      </button>
    </div>
  )
}

export function PlayButton({ isPlaying, onClick }: { readonly isPlaying: boolean; readonly onClick: () => void }) {
  return (
    <button type="button" class="square" aria-label={isPlaying ? 'Pause' : 'Play'} onClick={onClick}>
      <Icon name={isPlaying ? 'pause' : 'play'} isFilled />
    </button>
  )
}

/** An error as a sentence. */
export function Fault({ message }: { readonly message: string | undefined }) {
  return message === undefined ? null : (
    <p class="fault" role="alert">
      {message}
    </p>
  )
}

/** Something that takes longer than a glance. */
export function Busy({ text }: { readonly text: string }) {
  return (
    <p class="busy" role="status">
      <span class="spinner" aria-hidden="true" />
      {text}
    </p>
  )
}

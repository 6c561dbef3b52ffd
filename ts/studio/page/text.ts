/** Numbers as people read them. */

export function kimgText(kimg: number): string {
  return kimg >= 100 ? Math.round(kimg).toLocaleString('en') : String(Math.round(kimg * 10) / 10)
}

/** 3 h 20 min: the two largest units. */
export function timeText(seconds: number): string {
  if (!(seconds >= 0 && seconds < Infinity)) return 'unknown'
  const minutes = Math.round(seconds / 60)
  if (seconds < 60) return `${Math.round(seconds)} s`
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

export function bytesText(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`
}

/** Four digits that count. */
export function valueText(value: number): string {
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 1e5 || size < 1e-3) return value.toExponential(2)
  return String(Number(value.toPrecision(4)))
}

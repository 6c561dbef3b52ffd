/** Durations and sizes as text. */

/** Seconds as the official code writes them: 59s, 1m 05s, 2h 03m 04s, 1d 02h 03m. */
export function formatTime(seconds: number): string {
  if (!(seconds >= 0 && seconds < Infinity)) return '-'
  const s = Math.round(seconds)
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  if (s < 60) return `${s}s`
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${two((s / 60) % 60)}m ${two(s % 60)}s`
  return `${Math.floor(s / 86_400)}d ${two((s / 3600) % 24)}h ${two((s / 60) % 60)}m`
}

/** Images in thousands: one decimal, or as many as it takes below 1 kimg. */
export function formatKimg(nimg: number): string {
  return nimg > 0 && nimg < 1000 ? String(nimg / 1000) : (nimg / 1000).toFixed(1)
}

/** The word behind a number: `image` for 1, else `images`, or `several` where an s is not enough. */
export function plural(count: number, one: string, several = `${one}s`): string {
  return count === 1 ? one : several
}

/** Bytes in whole MiB, or in GiB with at most one decimal. */
export function formatBytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1).replace('.0', '')} GiB`
}

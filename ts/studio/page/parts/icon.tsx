/** Small drawings on buttons; the button has a name of its own. */
const paths = {
  play: 'M7 5v14l12-7z',
  pause: 'M7 5h4v14H7zM14 5h4v14h-4z',
  left: 'M15 5l-7 7 7 7',
  right: 'M9 5l7 7-7 7',
  close: 'M6 6l12 12M18 6L6 18',
  star: 'M12 4l2.5 5.2 5.7.8-4.1 4 1 5.6-5.1-2.7-5.1 2.7 1-5.6-4.1-4 5.7-.8z',
  dice: 'M4 7h3l10 10h3M4 17h3l3-3M14 10l3-3h3M18 5l2 2-2 2M18 15l2 2-2 2',
  plus: 'M12 5v14M5 12h14',
  sun: 'M12 8a4 4 0 100 8 4 4 0 000-8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6l1.5 1.5M16.9 16.9l1.5 1.5M5.6 18.4l1.5-1.5M16.9 7.1l1.5-1.5',
  moon: 'M19 14.5A7.5 7.5 0 019.5 5 7.5 7.5 0 1019 14.5z',
} as const

export function Icon({ name, isFilled = false }: { readonly name: keyof typeof paths; readonly isFilled?: boolean }) {
  return (
    <svg class={isFilled ? 'icon filled' : 'icon'} viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}

/** Dark or light: as the system has it, until the person chooses. */
type Theme = 'dark' | 'light'

const system = matchMedia('(prefers-color-scheme: dark)')

export function chosenTheme(): Theme {
  const chosen = localStorage.getItem('theme')
  return chosen === 'dark' || chosen === 'light' ? chosen : system.matches ? 'dark' : 'light'
}

function show(): void {
  document.documentElement.dataset['theme'] = chosenTheme()
}

export function chooseTheme(theme: Theme): void {
  // What the system has needs no choice.
  if (theme === (system.matches ? 'dark' : 'light')) localStorage.removeItem('theme')
  else localStorage.setItem('theme', theme)
  tell()
}

/** Whoever draws by the theme looks again. */
function tell(): void {
  show()
  dispatchEvent(new HashChangeEvent('hashchange'))
}

show()
system.addEventListener('change', tell)

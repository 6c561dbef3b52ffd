/** What `npm run gpu-check` found, as a page of Markdown. */
import type { GpuInfo } from '../ts/native/index.ts'
import type { machine } from '../ts/performance/benchmark.ts'
import type { Cell, Found } from './gpu-stages.ts'

export interface Result extends Found {
  readonly name: string
  readonly seconds: number
}

export interface Report {
  readonly commit: string
  readonly date: string
  readonly seconds: number
  readonly small: boolean
  readonly gpu: GpuInfo
  readonly machine: ReturnType<typeof machine>
  readonly results: readonly Result[]
}

/** Names of GPUs and what programs print come from outside: what would end a cell does not. */
const cell = (value: Cell) => String(value).replaceAll(/[|\n\r]/g, ' ')
const line = (cells: readonly Cell[]) => `| ${cells.map(cell).join(' | ')} |`

function table(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n')
}

export function page({ commit, date, seconds, small, gpu, machine, results }: Report): string {
  const mark = ({ passed }: Result) => (passed === undefined ? 'left out' : passed ? 'passed' : '**failed**')
  const stages = results.map((result) => [result.name, mark(result), `${result.seconds.toFixed(1)} s`, result.summary])
  const parts = results.flatMap(({ name, columns, rows }) => {
    return columns && rows && rows.length > 0 ? [`## ${name}`, table(columns, rows)] : []
  })
  const matrices = gpu.matrices === undefined ? 'no cooperative matrices' : `cooperative matrices of ${gpu.matrices}`
  return (
    [
      `# ${cell(gpu.name)}`,
      `${cell(gpu.backend)}, driver ${cell(gpu.driver)}, ${matrices}; ${cell(machine.cpu)}, ${machine.cores} cores.`,
      `Commit ${commit}, ${date}, ${seconds.toFixed(0)} s${small ? ', small sizes' : ''}, by \`npm run gpu-check\`.`,
      table(['stage', 'result', 'time', 'found'], stages),
      ...parts,
    ].join('\n\n') + '\n'
  )
}

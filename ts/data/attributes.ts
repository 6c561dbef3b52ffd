/** Yes-or-no attributes of the images of a labelled data set. */
import { optionError } from '../files/option-names.ts'
import { avatarAttributes } from './avatar-attributes.ts'
import { BUILTIN_AVATARS } from './info.ts'
import type { Dataset } from './dataset.ts'
import { requireLabels } from './labels.ts'

/** What images are told apart by: names, and which of them each image has. */
export interface Attributes {
  /** The names that {@link of} knows; a column of the labels can be named too. */
  readonly names: readonly string[]
  /** Of each image: 1 if it has the attribute. */
  of(name: string): Uint8Array
}

/**
 * The attributes of a data set: the columns of its labels; of the built-in avatars also what several columns say together.
 *
 * @throws DataError if the data set has no labels
 */
export async function attributesOf(dataset: Dataset): Promise<Attributes> {
  const { source, count } = dataset.info
  const { names: columns, values } = await requireLabels(dataset)
  const groups = source === BUILTIN_AVATARS ? avatarAttributes : {}
  const names = source === BUILTIN_AVATARS ? Object.keys(groups) : columns
  const of = (name: string): Uint8Array => {
    const members = (groups[name] ?? [name]).map((column) => columns.indexOf(column)).filter((column) => column >= 0)
    if (members.length === 0) {
      throw optionError((option) => `${option('attributes')}: some of ${shortened(names)} are expected, got '${name}'`)
    }
    return Uint8Array.from({ length: count }, (_, image) =>
      Number(members.some((column) => values[image * columns.length + column] === 1)),
    )
  }
  return { names, of }
}

/** A list that fits into an error message. */
function shortened(names: readonly string[]): string {
  return names.length <= 40 ? names.join(', ') : `${names.slice(0, 40).join(', ')} and ${names.length - 40} more`
}

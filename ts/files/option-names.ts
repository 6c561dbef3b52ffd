/** Errors that name options: a program knows them by their names in code, the command line by its flags. */

/** How an option is called. */
export type NameOf = (key: string) => string

/** The text of an error for any way to call its options. */
const texts = new WeakMap<Error, (name: NameOf) => string>()

/**
 * Notes that an error names options.
 *
 * @param make the error for a message
 * @param text the message, given how options are called; in code by their own names
 */
export function namingOptions<E extends Error>(make: (message: string) => E, text: (name: NameOf) => string): E {
  const error = make(text((key) => key))
  texts.set(error, text)
  return error
}

/** A RangeError that names options: see {@link namingOptions}. */
export const optionError = (text: (name: NameOf) => string): RangeError =>
  namingOptions((message) => new RangeError(message), text)

/** The message of an error, its options called by `name`. */
export function messageOf(error: Error, name: NameOf): string {
  return texts.get(error)?.(name) ?? error.message
}

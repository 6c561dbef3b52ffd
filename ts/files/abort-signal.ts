/**
 * Programs are checked against these declarations with the types of Node, of browsers, or of neither. The first two complete this
 * interface.
 */
declare global {
  interface AbortSignal {
    readonly aborted: boolean
  }
}
export {}

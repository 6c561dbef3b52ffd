/** What can be said of the built-in faces. Apart from what draws them, which has hundreds of files and is loaded when faces are drawn. */

/** Tops that show the hat's colour; all others show the hair's. */
export const HATS = new Set(['hat', 'hijab', 'turban', 'winterHat1', 'winterHat02', 'winterHat03', 'winterHat04'])

const any = (name: string, ...values: string[]) => values.map((value) => `${name}=${value}`)

/**
 * What can be said of a face with yes or no: true if it has one of these values. Each is true of a tenth of the faces at least
 * and can be seen at 32×32, so that a classifier can learn it.
 */
export const avatarAttributes: Readonly<Record<string, readonly string[]>> = {
  eyeglasses: any('accessories', 'kurt', 'prescription01', 'prescription02', 'round', 'sunglasses', 'wayfarers'),
  'facial-hair': any('facialHair', 'beardLight', 'beardMajestic', 'beardMedium', 'moustacheFancy', 'moustacheMagnum'),
  hat: any('top', ...HATS),
  'long-hair': any(
    'top',
    ...['bigHair', 'bob', 'curly', 'curvy', 'frida', 'longButNotTooLong', 'miaWallace', 'shaggyMullet'],
    ...['straight01', 'straight02', 'straightAndStrand'],
  ),
  'dark-skin': any('skinColor', '#614335', '#ae5d29'),
  blazer: any('clothing', 'blazerAndShirt', 'blazerAndSweater'),
  hoodie: any('clothing', 'hoodie'),
  'blue-background': any('backgroundColor', '#b6e3f4'),
}

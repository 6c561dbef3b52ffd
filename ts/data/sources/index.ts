/** Opening a source: what it is is told by its content. */
import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { kindOf } from '../../files/kind.ts'
import { shownValue } from '../../files/shown.ts'
import { isNpy } from '../../files/npy.ts'
import { isZip } from '../../files/zip.ts'
import { readInfo } from '../info.ts'
import { isCifarFile, openCifarArchive, openCifarFolder } from './cifar.ts'
import { DataFile } from './file.ts'
import { openFolder } from './folder.ts'
import { isIdx, openIdx, unpacked } from './idx.ts'
import { isLmdb, lmdbHeadBytes, openLmdb } from './lmdb.ts'
import { openNpy, openNpz } from './numpy.ts'
import { isParquet, isParquetFile, openParquet, shardsIn } from './parquet.ts'
import { openPreparedSource } from './prepared.ts'
import type { Source, SourceOptions } from './source.ts'
import { isTar } from './tar.ts'
import { isRecordFile, openRecordFolder, openRecords, recordLength } from './tfrecord.ts'
import { ZipFile } from './zip-file.ts'
import { imageSuffix, openZip } from './zip.ts'
import { DataError } from '../../native/index.ts'

export type { ImageInput, LeftOut, PixelInput, Source, SourceOptions } from './source.ts'

/** What a source may be, in the words of messages. */
const kinds = 'a folder of images, a zip archive, TFRecord, LMDB, CIFAR, MNIST, .npy, .npz or Parquet'

/** @throws DataError if there is nothing, or nothing that is known, or if it is damaged */
export async function openSource(path: string, options: SourceOptions = {}): Promise<Source> {
  refuseEmpty(path)
  const entry = await stat(path).catch(() => undefined)
  if (entry?.isDirectory()) return openDirectory(path, options)
  if (!entry?.isFile()) {
    const found = entry ? `a ${kindOf(entry)}; give ${kinds}` : 'nothing; check the path'
    throw new DataError(`${path}: a folder of images is expected, got ${found}`)
  }
  const file = await DataFile.open(path)
  try {
    return await openFile(file)
  } catch (error) {
    await file.close()
    throw error
  }
}

/** @throws DataError for a path without a letter, as of a variable of a shell that is not set */
export function refuseEmpty(path: unknown): void {
  if (typeof path === 'string' && path !== '') return
  throw new DataError(`a path is expected, got ${path === '' ? 'an empty one' : shownValue(path)}; give ${kinds}`)
}

async function openFile(file: DataFile): Promise<Source> {
  if (file.size === 0) throw new DataError(`${file.path}: ${kinds} is expected, got a file that is empty; get it again`)
  const head = await file.head(512)
  if (isZip(head)) return openZipFile(await ZipFile.open(file))
  if (isNpy(head)) return openNpy(file)
  if (isParquet(head)) {
    await file.close()
    return openParquet(file.path, [file.path])
  }
  if (isLmdb(head)) return openLmdb(file)
  if (isIdx(head)) return openIdx(file, file)
  if (recordLength(head) !== undefined) return openRecords(file)
  if (isTar(head)) return openCifarArchive(file, file)
  const bytes = await unpacked(file)
  if (bytes !== file) {
    if (isIdx(await bytes.read(0, 4))) return openIdx(file, bytes)
    if (isTar(await bytes.read(0, 512))) return openCifarArchive(file, bytes)
    await bytes.close()
  }
  throw new DataError(`${file.path}: a folder of images is expected, got a file of another kind; give ${kinds}`)
}

/** Images, or arrays of NumPy. */
async function openZipFile(zip: ZipFile): Promise<Source> {
  const isArrays =
    zip.count > 0 && Array.from({ length: Math.min(zip.count, 100) }, (_, i) => zip.name(i)).every(isArray)
  return isArrays ? openNpz(zip) : openZip(zip)
}

const isArray = (name: string): boolean => name.endsWith('.npy')

/** Names that are looked at to tell what is in a folder. */
const someNames = 1000

async function openDirectory(dir: string, options: SourceOptions): Promise<Source> {
  const info = await readInfo(dir)
  if (info) return openPreparedSource(dir, info)
  const names = await namesIn(dir)
  const has = (fits: (name: string) => boolean) => names.some(fits)
  if (has((name) => imageSuffix.test(name))) return openFolder(dir, options)
  if (names.includes('data.mdb')) {
    const file = await DataFile.open(join(dir, 'data.mdb'))
    if (file.size === 0) {
      await file.close()
      throw new DataError(`${file.path}: an LMDB database is expected, got a file that is empty; get it again`)
    }
    if (isLmdb(await file.head(lmdbHeadBytes))) return openLmdb(file, dir)
    await file.close()
  }
  if (has(isRecordFile)) return openRecordFolder(dir)
  if (has(isParquetFile)) return openShards(dir, names)
  if (has(isCifarFile) || (names.includes('train') && names.includes('meta'))) return openCifarFolder(dir, names)
  const idx = names.find((name) => /^train-images.idx3-ubyte(?:\.gz)?$/.test(name))
  if (idx !== undefined) return openSource(join(dir, idx))
  const data = join(dir, 'data')
  const inData = await namesIn(data).catch(() => [])
  if (inData.some(isParquetFile)) return openShards(data, inData)
  return openFolder(dir, options)
}

/** The first files of a folder, without its folders. */
async function namesIn(dir: string): Promise<string[]> {
  const names: string[] = []
  for await (const entry of await opendir(dir)) {
    if (!entry.isDirectory() && names.push(entry.name) === someNames) break
  }
  return names.sort()
}

function openShards(dir: string, names: readonly string[]): Promise<Source> {
  const { shards, others } = shardsIn(names.filter(isParquetFile))
  const leftOut = others.map((name) => ({ path: join(dir, name), kind: 'Parquet file of another split' }))
  return openParquet(
    dir,
    shards.map((name) => join(dir, name)),
    leftOut,
  )
}

/** A Parquet file, by hyparquet: its footer, and columns of one row group at a time. */
import * as zlib from 'node:zlib'
import type { AsyncBuffer, Compressors, DataReader, FileMetaData, PageHeader, RowGroup } from 'hyparquet'
import { shown } from '../../files/shown.ts'
import { DataFile, fileLimit } from './file.ts'
import { DataError } from '../../native/index.ts'

/** Rows of a group: writers make groups of thousands at the most where rows are images. */
const rowLimit = 2 ** 22
const footerLimit = 2 ** 28

/** A column, as far as it tells what is in it. */
export interface Column {
  readonly name: string
  readonly children: readonly string[]
  readonly isBytes: boolean
}

type Hyparquet = typeof import('hyparquet')

export class ParquetFile {
  readonly file: DataFile
  /** Rows before each row group, and at the end. */
  readonly groups: readonly number[]
  readonly columns: readonly Column[]
  /** What writers kept beside the schema, by name. */
  readonly notes: ReadonlyMap<string, string>
  readonly #metadata: FileMetaData
  readonly #library: Hyparquet

  private constructor(file: DataFile, metadata: FileMetaData, library: Hyparquet) {
    this.file = file
    this.#metadata = metadata
    this.#library = library
    const groups = [0]
    for (const { num_rows } of metadata.row_groups) {
      const rows = Number(num_rows)
      if (!(rows >= 0 && rows <= rowLimit)) throw new RangeError(`row groups of at most ${rowLimit} rows are read`)
      groups.push(groups.at(-1)! + rows)
    }
    this.groups = groups
    this.columns = library.parquetSchema(metadata).children.map(({ element, children }) => ({
      name: element.name,
      children: children.map((child) => child.element.name),
      isBytes: element.type === 'BYTE_ARRAY',
    }))
    this.notes = new Map(metadata.key_value_metadata?.map(({ key, value }) => [key, value ?? '']))
  }

  static async open(path: string): Promise<ParquetFile> {
    const file = await DataFile.open(path)
    try {
      const library = await import('hyparquet')
      return await inFile(path, async () => {
        const tail = await file.read(Math.max(file.size - 8, 0), Math.min(file.size, 8))
        if (tail.toString('latin1', 4) !== 'PAR1') throw new RangeError('the file is cut off')
        if (tail.readUInt32LE(0) > footerLimit) throw new RangeError('its footer is too large')
        return new ParquetFile(file, await library.parquetMetadataAsync(bufferOf(file)), library)
      })
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** What a column holds in a row group. */
  column(name: string, index: number): Promise<unknown[]> {
    return inFile(this.file.path, async () => {
      const rows = await this.#library.parquetReadObjects({
        file: await this.#chunksOf(name, this.#metadata.row_groups[index]!),
        metadata: this.#metadata,
        columns: [name],
        rowStart: this.groups[index]!,
        rowEnd: this.groups[index + 1]!,
        utf8: false,
        compressors,
        geoparquet: false,
      })
      return rows.map((row) => row[name] as unknown)
    })
  }

  /** The bytes of a column in a row group, read and checked before the library sees them. */
  async #chunksOf(name: string, { columns, num_rows }: RowGroup): Promise<AsyncBuffer> {
    const { parquetHeader } = await import('hyparquet/src/column.js')
    const chunks = columns.flatMap(({ meta_data: meta }) => {
      if (meta?.path_in_schema[0] !== name) return []
      // The same way as the library finds them.
      const start = Number(meta.dictionary_page_offset || meta.data_page_offset)
      return [{ start, end: start + Number(meta.total_compressed_size), values: Number(meta.num_values) }]
    })
    const start = Math.min(...chunks.map((chunk) => chunk.start))
    const end = Math.max(...chunks.map((chunk) => chunk.end))
    const whole = await bufferOf(this.file).slice(start, end)
    for (const chunk of chunks) {
      const values = Math.max(Number(num_rows), chunk.values)
      if (!(values <= rowLimit)) throw new RangeError(`columns of at most ${rowLimit} values in a row group are read`)
      const view = new DataView(whole, chunk.start - start, chunk.end - chunk.start)
      checkPages(view, values, (reader) => parquetHeader(reader))
    }
    return {
      byteLength: this.file.size,
      slice(from, to = end) {
        if (!(from >= start && to <= end)) throw new RangeError('it names bytes outside of its columns')
        return whole.slice(from - start, to - start)
      },
    }
  }

  close(): Promise<void> {
    return this.file.close()
  }
}

/** Pages say how much they hold, and memory is taken for it: no more than their row group may. */
function checkPages(view: DataView, values: number, headerAt: (reader: DataReader) => PageHeader): void {
  const reader = { view, offset: 0 }
  let left = fileLimit
  while (reader.offset < view.byteLength - 1) {
    const page = headerAt(reader)
    const header = page.data_page_header ?? page.data_page_header_v2 ?? page.dictionary_page_header
    if (!(header && header.num_values >= 0 && header.num_values <= values && page.compressed_page_size >= 0)) {
      throw new RangeError('a page holds more values than its row group')
    }
    left -= page.uncompressed_page_size
    if (!(page.uncompressed_page_size >= 0 && left >= 0)) {
      throw new RangeError(`row groups of at most ${fileLimit} bytes are read; write smaller ones`)
    }
    reader.offset += page.compressed_page_size
  }
}

function bufferOf(file: DataFile): AsyncBuffer {
  return {
    byteLength: file.size,
    async slice(start, end = file.size) {
      if (end - start > fileLimit) {
        throw new RangeError(
          `row groups of at most ${fileLimit} bytes are read; write smaller ones, as with row_group_size=100`,
        )
      }
      const { buffer, byteOffset, length } = await file.read(start, end - start)
      return buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer
    },
  }
}

/** Node has it from version 22.15 on. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: typeof zlib.gunzipSync }

/** SNAPPY is the library's own. */
const compressors: Compressors = {
  GZIP: (bytes, length) => zlib.gunzipSync(bytes, { maxOutputLength: Math.max(length, 1) }),
  BROTLI: (bytes, length) => zlib.brotliDecompressSync(bytes, { maxOutputLength: Math.max(length, 1) }),
  ZSTD: (bytes, length) => {
    if (zstdDecompressSync) return zstdDecompressSync(bytes, { maxOutputLength: Math.max(length, 1) })
    throw new RangeError('it is packed by zstd, which takes Node 22.15; write it again with compression="snappy"')
  },
}

/** An error of the library, with the file and what to do. */
async function inFile<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DataError || !(error instanceof Error)) throw error
    throw new DataError(
      `${path}: a Parquet file is expected, but ${shown(error.message)}${error.message.includes(';') ? '' : '; get it again'}`,
    )
  }
}

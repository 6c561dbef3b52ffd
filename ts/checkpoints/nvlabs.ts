/**
 * NVIDIA's pickles: networks of StyleGAN (state version 3) and Progressive GAN (2) as dnnlib.tflib.network.Network pickles itself.
 * A network's source code is in the file too; it is never looked at.
 */
import { numpyGlobals, NumpyArray } from '../files/numpy.ts'
import { Global, readPickle, type Globals, type PickleValue } from '../files/pickle.ts'
import { shown } from '../files/shown.ts'
import type { Weight, Weights } from '../files/weights.ts'
import type { Semantics } from '../networks/semantics.ts'
import { scalarOf, type Networks } from './convert.ts'

type Dict = ReadonlyMap<PickleValue, PickleValue>

/** A network of the pickle: what it says of itself. */
class Network {
  state: Dict | undefined

  setState(state: PickleValue): void {
    if (!(state instanceof Map)) throw new TypeError('a network of the pickle has no state')
    this.state = state
  }
}

const uncallable = () => {
  throw new TypeError('the pickle calls what is no function')
}

const networkClasses = ['dnnlib.tflib.network.Network', 'tfutil.Network']

/** Protocols 0 and 1 make an object by a function. */
function reconstruct([type]: PickleValue[]): Network {
  if (type instanceof Global && networkClasses.includes(type.name)) return new Network()
  throw new TypeError('the pickle makes what is no network')
}

/** Everything that these files may name. */
const globals: Globals = {
  ...numpyGlobals,
  ...Object.fromEntries(networkClasses.map((name) => [name, () => new Network()])),
  'dnnlib.util.EasyDict': () => new Map(),
  'collections.OrderedDict': () => new Map(),
  'copy_reg._reconstructor': reconstruct,
  'copyreg._reconstructor': reconstruct,
  '__builtin__.object': uncallable,
  'builtins.object': uncallable,
}

function foreign(name: string): string | undefined {
  if (!name.startsWith('torch_utils.persistence.')) return undefined
  return 'it holds networks of StyleGAN2-ADA or StyleGAN 3 (PyTorch), which are other networks; this program reads StyleGAN and Progressive GAN'
}

/**
 * Reads a pickle of networks: `(G, D, Gs)` in a tuple, list or dict, or one of them.
 *
 * @throws TypeError or RangeError if it is cut off, names anything else, or holds other networks
 */
export function readNvlabs(bytes: Uint8Array): Networks {
  const { value } = readPickle(bytes, 0, { globals, foreign })
  const found = networksOf(value).map(describe)
  const one = (kind: Kind, last: boolean) => found.filter((network) => network.kind === kind).at(last ? -1 : 0)
  const [G, D, Gs] = [one('G', false), one('D', false), one('G', true)]
  const { progressive, fusedScale, version } = (Gs ?? D)!
  const family = progressive ? 'Progressive GAN' : 'StyleGAN'
  return {
    what: `NVIDIA's ${family}, ${found.map(({ name }) => name).join(', ')} (state version ${version})`,
    licence: 'CC BY-NC 4.0',
    Gs: Gs?.variables,
    G: G === Gs ? undefined : G?.variables,
    D: D?.variables,
    lod: Gs ? scalarOf(Gs.variables, 'lod') : 0,
    fusedScale: Gs?.fusedScale ?? fusedScale,
    semantics: { ...Gs?.semantics, ...D?.semantics },
    options: { ...D?.options, ...Gs?.options },
  }
}

function networksOf(value: PickleValue): Network[] {
  const entries = value instanceof Map ? [...value.values()] : Array.isArray(value) ? value : [value]
  if (entries.length > 0 && entries.length <= 8 && entries.every((entry) => entry instanceof Network)) return entries
  throw new TypeError('it is a pickle without networks: (G, D, Gs) of StyleGAN or Progressive GAN are expected')
}

type Kind = 'G' | 'D'
/** Functions that build the networks which are read. */
const builders: Readonly<Record<string, Kind>> = { G_style: 'G', D_basic: 'D', G_paper: 'G', D_paper: 'D' }

interface Described {
  readonly kind: Kind
  readonly name: string
  readonly progressive: boolean
  readonly version: number
  readonly variables: Weights
  readonly fusedScale: boolean | 'auto'
  readonly semantics: Semantics
  readonly options: NonNullable<Networks['options']>
}

function describe({ state }: Network): Described {
  const builder = state?.get('build_func_name')
  if (state === undefined || typeof builder !== 'string') throw new TypeError('a network of the pickle has no state')
  const version = state.get('version')
  if (/stylegan2|^G_main$/.test(builder)) {
    throw new TypeError(
      'it holds networks of StyleGAN 2, which are other networks; this program reads StyleGAN and Progressive GAN',
    )
  }
  if (!Object.hasOwn(builders, builder)) {
    throw new TypeError(`it holds a network of '${shown(builder)}': ${Object.keys(builders).join(', ')} are read`)
  }
  if (version !== 2 && version !== 3 && version !== 4) {
    const found = typeof version === 'number' ? version : 'none'
    throw new TypeError(`the state of its networks has version ${found}: versions 2 to 4 are read`)
  }
  const progressive = builder.endsWith('_paper')
  const kind = builders[builder]!
  const name = state.get('name')
  const kwargs = argumentsOf(state.get('static_kwargs'), builder)
  const variables = new Map<string, Weight>()
  addVariables(variables, '', state, kwargs.get('fused_scale') === false && progressive ? kind : undefined)
  return {
    kind,
    name: typeof name === 'string' ? shown(name) : kind,
    progressive,
    version,
    variables,
    ...meaning(kwargs, kind, progressive),
  }
}

/** What the arguments of a network's function say beyond the shapes of its variables. */
function meaning(
  kwargs: Dict,
  kind: Kind,
  progressive: boolean,
): Pick<Described, 'fusedScale' | 'semantics' | 'options'> {
  const number = (key: string): number | undefined => {
    const value = kwargs.get(key)
    return typeof value === 'number' ? value : undefined
  }
  const fused = kwargs.get('fused_scale') ?? (progressive ? true : 'auto')
  const sharp = kwargs.has('blur_filter') && kwargs.get('blur_filter') === null
  const pooled = kind === 'D' && progressive && fused === false
  const [mappingLrmul, mbstd, labelSize] = ['mapping_lrmul', 'mbstd_group_size', 'label_size'].map(number)
  const mixing = number('style_mixing_prob') === 0
  return {
    fusedScale: fused as boolean | 'auto',
    semantics: {
      ...(sharp ? { [kind === 'G' ? 'sharpG' : 'sharpD']: true } : {}),
      ...(pooled ? { activationBeforePooling: true } : {}),
    },
    options: {
      ...(mappingLrmul === undefined ? {} : { mappingLrmul }),
      ...(mbstd === undefined ? {} : { mbstdGroup: Math.max(mbstd, 1) }),
      ...(labelSize === undefined ? {} : { labelSize }),
      ...(kind === 'G' && mixing ? { config: 'E' as const } : {}),
    },
  }
}

/** Variables under their official names: those of a component stand behind `G_mapping/` and `G_synthesis/`. */
function addVariables(to: Map<string, Weight>, prefix: string, state: Dict, unfused: Kind | undefined): void {
  const variables = state.get('variables')
  if (!Array.isArray(variables)) throw new TypeError('a network of the pickle has no variables')
  for (const entry of variables as PickleValue[]) {
    const [name, value] = Array.isArray(entry) ? (entry as PickleValue[]) : []
    if (typeof name !== 'string') throw new TypeError('a variable of the pickle has no name')
    const array = value instanceof NumpyArray ? value.weight : typeof value === 'number' ? scalar(value) : undefined
    if (array === undefined) throw new TypeError(`the variable '${shown(name)}' is no array`)
    // A number is an array of one in some files.
    const weight = name === 'lod' && array.shape.join() === '1' ? { ...array, shape: [] } : array
    to.set(prefix + (unfused ? fusedName(name, unfused) : name), weight)
  }
  const components = state.get('components')
  if (!(components instanceof Map)) return
  for (const [key, component] of components as Dict) {
    const role = key === 'synthesis' || key === 'mapping' ? `G_${key}` : undefined
    const inner = component instanceof Network ? component.state : undefined
    if (role === undefined || prefix !== '' || inner?.get('build_func_name') !== role) {
      throw new TypeError('a component of its networks is neither G_mapping nor G_synthesis')
    }
    addVariables(to, `${role}/`, inner, undefined)
  }
}

/** Progressive GAN with separate resampling has a name less for it. */
function fusedName(name: string, kind: Kind): string {
  return kind === 'G' ? name.replace(/\/Conv0\//, '/Conv0_up/') : name.replace(/\/Conv1\//, '/Conv1_down/')
}

function scalar(value: number): Weight {
  return { shape: [], dtype: 'f32', values: () => Float32Array.of(value) }
}

const isNumber = (value: PickleValue) => typeof value === 'number' && Number.isFinite(value)
const isFlag = (value: PickleValue) => typeof value === 'boolean' || value === 0 || value === 1
const is =
  (...allowed: PickleValue[]) =>
  (value: PickleValue) =>
    allowed.includes(value)
const any = () => true

/** Arguments of the functions that build networks, and which values are drawn here. What shapes tell needs no look. */
const known: Readonly<Record<string, (value: PickleValue) => boolean>> = {
  ...Object.fromEntries(
    ['num_channels', 'resolution', 'label_size', 'latent_size', 'dlatent_size', 'mapping_layers', 'mapping_fmaps']
      .concat(['mapping_lrmul', 'fmap_base', 'fmap_decay', 'fmap_max', 'mbstd_group_size', 'style_mixing_prob'])
      .map((key) => [key, (value: PickleValue) => value === null || isNumber(value)]),
  ),
  ...Object.fromEntries(
    ['use_styles', 'const_input_layer', 'use_noise', 'use_pixel_norm', 'use_instance_norm'].map((key) => [key, isFlag]),
  ),
  // How it was trained, run or truncated.
  ...Object.fromEntries(
    [
      'truncation_psi',
      'truncation_cutoff',
      'truncation_psi_val',
      'truncation_cutoff_val',
      'dlatent_avg_beta',
      'structure',
    ]
      .concat(['randomize_noise', 'is_training', 'is_validation', 'dlatent_broadcast', 'is_template_graph', 'dtype'])
      .map((key) => [key, any]),
  ),
  use_wscale: is(true),
  normalize_latents: is(true),
  use_leakyrelu: is(true),
  use_pixelnorm: is(true),
  nonlinearity: is('lrelu'),
  mapping_nonlinearity: is('lrelu'),
  mbstd_num_features: is(1),
  pixelnorm_epsilon: is(1e-8),
  fused_scale: is(true, false, 'auto'),
  blur_filter: (value) => value === null || (Array.isArray(value) && value.join() === '1,2,1'),
}

function argumentsOf(value: PickleValue | undefined, builder: string): Dict {
  if (!(value instanceof Map)) throw new TypeError('a network of the pickle has no arguments')
  for (const [key, argument] of value as Dict) {
    if (typeof key !== 'string' || !Object.hasOwn(known, key)) {
      throw new TypeError(
        `${builder} has an argument that is not known: '${typeof key === 'string' ? shown(key) : 'no text'}'`,
      )
    }
    if (!known[key]!(argument)) {
      const found = typeof argument === 'object' ? 'another value' : shown(String(argument))
      throw new TypeError(`${builder} has ${key} ${found}, which is not drawn here`)
    }
  }
  return value
}

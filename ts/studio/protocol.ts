/**
 * What the studio's page and its server say to each other: JSON of these types, pictures as PNG. Both sides import this file, and
 * nothing else of each other. Paths are those below `--outdir` or `--data-root`, with `/` between folders.
 */

export type RunState = 'running' | 'finished' | 'stopped' | 'diverged'

/** A run, as the list shows it. */
export interface RunSummary {
  /** Its folder below outdir. */
  readonly id: string
  readonly state: RunState
  /** Whether the process that trains is on the studio's machine, so that it can be stopped. */
  readonly canStop: boolean
  readonly kimg: number
  /** Undefined where its options cannot be read. */
  readonly totalKimg?: number | undefined
  readonly resolution?: number | undefined
  readonly data?: string | undefined
  /** An estimate, while it runs. */
  readonly leftSec?: number | undefined
  /** Name of the newest picture of fakes. */
  readonly picture?: string | undefined
  /** Grows whenever a file of the run changes. */
  readonly version: number
}

export interface PictureFile {
  readonly name: string
  readonly kimg: number
}

export interface SnapshotFile {
  readonly name: string
  readonly kimg: number
  readonly bytes: number
  /** Its path below outdir, to explore it. */
  readonly network: string
}

/** Training at one resolution, or while it fades in. */
export interface Phase {
  readonly fromKimg: number
  readonly toKimg: number
  readonly resolution: number
  readonly kind: 'stable' | 'fade'
}

/** Values over kimg: of a stat by name, or of a metric. */
export interface Curve {
  readonly name: string
  readonly kimg: readonly number[]
  readonly values: readonly (number | null)[]
}

/** Everything about one run. */
export interface Run extends RunSummary {
  /** training_options.json. */
  readonly options: Readonly<Record<string, string | number | boolean | null>>
  readonly phases: readonly Phase[]
  readonly curves: readonly Curve[]
  readonly metrics: readonly Curve[]
  readonly pictures: readonly PictureFile[]
  readonly reals?: string | undefined
  readonly snapshots: readonly SnapshotFile[]
  /** The last lines of log.txt. */
  readonly log: readonly string[]
  /** What its log says of overfitting, and what to do. */
  readonly notes: readonly string[]
  /** Why training diverged. */
  readonly diverged?: string | undefined
  /** The command that goes on with it. */
  readonly command?: string | undefined
}

/** A network to explore. */
export interface NetworkFile {
  /** Below outdir or the data root, or a name of its own. */
  readonly network: string
  /** How a command names it. */
  readonly path: string
  readonly title: string
  readonly group: string
}

/** What the page must know of a network to show its controls. */
export interface NetworkInfo {
  readonly network: string
  readonly path: string
  /** How a command names the folder of the runs. */
  readonly outdir: string
  readonly resolution: number
  readonly height: number
  readonly layers: number
  readonly classes: readonly string[]
  readonly labelSize: number
  /** Without styles there is nothing to mix, and configurations A to D have no noise. */
  readonly hasStyles: boolean
  readonly hasNoise: boolean
  readonly canTruncate: boolean
  readonly defaultPsi: number
  readonly kimg: number
  /** What wrote it, and its licence. */
  readonly origin?: { readonly what: string; readonly licence: string } | undefined
}

export interface Copied {
  readonly seed: number
  readonly layers: readonly number[]
}

export type NoiseMode = 'const' | 'random' | 'none'

/** Styles moved along a direction of W. */
export interface Shift {
  /** Number of a principal component, from 0, or name of an attribute. */
  readonly direction: number | string
  /** In standard deviations. */
  readonly by: number
  readonly layers: readonly number[]
}

/** A picture, wholly described. */
export interface Look {
  readonly network: string
  readonly seed: number
  /** A projection in place of the seed's picture: its folder below outdir. */
  readonly projected?: string | undefined
  readonly psi: number
  readonly cutoff: number
  /** Number of the class; undefined for a network without classes. */
  readonly class?: number | undefined
  readonly mix: readonly Copied[]
  readonly shifts: readonly Shift[]
  readonly noise: NoiseMode
  readonly noiseSeed?: number | undefined
  /** One a layer; empty is full strength. */
  readonly noiseStrength: readonly number[]
}

/** A loop through key frames. */
export interface Walk {
  readonly network: string
  readonly seeds: readonly number[]
  readonly psi: number
  readonly cutoff: number
  readonly class?: number | undefined
  readonly space: 'w' | 'z'
  readonly easing: 'cubic' | 'linear' | 'smooth'
  readonly framesPerKey: number
  readonly fps: number
}

/** Who asks for a picture: of two requests of one slot that wait, the older is dropped. */
interface Slot {
  /** A name that a page takes for as long as it is open. */
  readonly page: string
  readonly slot: string
}

export interface DrawRequest extends Slot {
  readonly look: Look
  /** Each pixel so often along both axes. */
  readonly scale: number
}

export interface FrameRequest extends Slot {
  readonly walk: Walk
  /** 1.5 is halfway from key frame 1 to 2. */
  readonly position: number
}

export interface VideoRequest {
  readonly page: string
  readonly walk: Walk
  readonly kind: 'mp4' | 'png'
  readonly scale: number
}

/** An option of a training that the page can set. */
export interface TrainOption {
  readonly key: string
  readonly flag: string
  readonly help: string
  readonly kind: 'text' | 'flag' | 'number'
}

/** What a training can be started with. */
export interface TrainChoices {
  /** Folders below the data root, and the built-in avatars. */
  readonly data: readonly { readonly value: string; readonly title: string }[]
  readonly presets: readonly string[]
  readonly options: readonly TrainOption[]
}

/** Options by key, as text; a flag is `true` or `false`. */
export type TrainOptions = Readonly<Record<string, string>>

export interface StartRequest {
  readonly options: TrainOptions
}

/** A training or an estimate that the studio has started. */
export interface Job {
  readonly id: string
  readonly command: string
  readonly state: 'running' | 'done' | 'failed'
  readonly kind: 'training' | 'estimate' | 'projection' | 'directions'
  /** What it has printed; of a failure, the reason is last. */
  readonly lines: readonly string[]
  /** How far a projection or a search for directions is. */
  readonly progress?: JobProgress | undefined
  readonly seconds: number
}

export interface JobProgress {
  readonly done: number
  readonly total: number
  /** Of the picture before the last step from the target. */
  readonly distance?: number | undefined
}

export interface Started {
  readonly job: Job
  /** The run that it makes or goes on with, unless a measurement chooses it. */
  readonly run?: string | undefined
}

export interface GoOnRequest {
  readonly run: string
  /** A new length; undefined keeps that of the run. */
  readonly kimg?: number | undefined
}

/** A picture that is projected into a network. */
export interface ProjectRequest {
  readonly network: string
  /** What its folder is named after. */
  readonly name: string
  /** The square that was cut out, as PNG in base64. */
  readonly target: string
  readonly space: 'w' | 'w+'
  readonly steps: number
  readonly seed: number
  readonly class?: number | undefined
}

/** A projection in the folder of the runs. */
export interface Projection {
  /** Its folder below outdir: what a look names. */
  readonly id: string
  readonly network: string
  readonly state: 'running' | 'done' | 'stopped'
  readonly space: 'w' | 'w+'
  readonly steps: number
  /** The command that makes it, or goes on with it. */
  readonly command: string
  /** The studio's job that makes it, while that is known. */
  readonly job?: string | undefined
  /** Grows when its picture changes; 0 before there is one. */
  readonly version: number
}

/** What is known of the studio itself. */
export interface About {
  readonly version: string
  readonly outdir: string
  readonly hasDataRoot: boolean
  readonly hasFfmpeg: boolean
  /** Attribute classifiers that it was started with. */
  readonly classifiers: number
  readonly device: string
}

/** Principal components of W. */
export interface Components {
  /** Share of the variance of w that each explains. */
  readonly shares: readonly number[]
}

/** Attributes of a network whose directions were found. */
export interface Directions {
  readonly attributes: readonly { readonly name: string; readonly agreement: number }[]
  /** The command that finds them, where there are classifiers and the network's folder is one of the studio's. */
  readonly command?: string | undefined
}

/** What GET of a path answers. Beside these, `api/picture` is a picture of a run, `api/projection` one of a projection, and `api/live` is {@link LiveEvents}. */
export interface Answers {
  readonly 'api/about': About
  readonly 'api/run': Run
  readonly 'api/networks': readonly NetworkFile[]
  readonly 'api/network': NetworkInfo
  readonly 'api/components': Components
  readonly 'api/directions': Directions
  readonly 'api/train': TrainChoices
  readonly 'api/projections': readonly Projection[]
}

/** What POST to a path takes and answers. */
export interface Exchanges {
  readonly 'api/session': { readonly takes: { readonly token: string }; readonly gives: object }
  readonly 'api/train/estimate': { readonly takes: StartRequest; readonly gives: Job }
  readonly 'api/train/start': { readonly takes: StartRequest; readonly gives: Started }
  readonly 'api/train/go-on': { readonly takes: GoOnRequest; readonly gives: Job }
  readonly 'api/train/stop': { readonly takes: { readonly run: string }; readonly gives: object }
  readonly 'api/directions/find': { readonly takes: { readonly network: string }; readonly gives: Job }
  readonly 'api/project/start': { readonly takes: ProjectRequest; readonly gives: { readonly id: string } }
  readonly 'api/project/go-on': { readonly takes: { readonly id: string }; readonly gives: object }
  readonly 'api/project/stop': { readonly takes: { readonly id: string }; readonly gives: object }
}

/** What POST to a path takes that answers a picture or a video. */
export interface Drawings {
  readonly 'api/draw': DrawRequest
  readonly 'api/frame': FrameRequest
  readonly 'api/video': VideoRequest
}

/** Events of `/api/live`, by name. */
export interface LiveEvents {
  /** All runs, at first and whenever one of them has changed. */
  readonly runs: readonly RunSummary[]
  /** Trainings and estimates of the studio. */
  readonly jobs: readonly Job[]
  /** Frames of a video that is drawn for this page. */
  readonly video: { readonly done: number; readonly total: number }
}

/** A refusal: one sentence. */
export interface Refusal {
  readonly error: string
}

/** Answer of a drawing that a newer request of its slot has replaced. */
export const SUPERSEDED = 409

/** Names that StyleGAN3, StyleGAN2-ADA and earlier versions of this program have, and what to write here. */

type Answers = Readonly<Record<string, string>>

const here = (flag: string) => `its name here is ${flag}`
const leaveOut = (why: string) => `${why}; leave it out`
const network = here('--network')
const file = 'this command writes one file; name it with --output'
const psi = here('--trunc')

/** Of every command that draws from a network. */
const drawing: Answers = {
  '--network-pkl': network,
  '--pkl': network,
  '--gen': network,
  '--truncation-psi': psi,
  '--trunc-psi': psi,
  '--psi': psi,
  '--truncation-cutoff': here('--trunc-cutoff'),
  '--batch-size': leaveOut('images are drawn one at a time'),
}

const noFlag = 'the source stands without a flag, behind the name of the command'
/** Of StyleGAN3's and StyleGAN2-ADA's dataset_tool. */
const datasetTool: Answers = {
  '--source': noFlag,
  '--dest': here('--output'),
  '--width': here('--resolution'),
  '--height': here('--resolution'),
  '--color-profile': here('--colour-profile'),
}

const flags: Readonly<Record<string, Answers>> = {
  train: {
    '--cfg': 'networks of StyleGAN2 and 3 are not trained here; --config chooses a row of Table 1, --preset a data set',
    '--cbase': 'its name here is --fmap-base, and the number is half: 8192 for 16384',
    '--cmax': here('--fmap-max'),
    '--map-depth': here('--mapping-layers'),
    '--batch-gpu': leaveOut('a step sees its whole batch at once'),
    '--fp32': leaveOut('f32 is the default, and --precision chooses another'),
    '--allow-tf32': leaveOut('--precision chooses what feature maps are stored in'),
    '--nobench': leaveOut('there is no such benchmark here'),
    '--workers': leaveOut('images are read by all cores'),
    '--subset': 'put the images that are wanted into a folder of their own, and name it with --data',
    '--lr': 'the learning rates are --glr for the generator and --dlr for the discriminator',
    '--num': here('--metrics-num'),
    '--result-dir': here('--outdir'),
  },
  generate: {
    ...drawing,
    '--translate': leaveOut('the first StyleGAN has no input transform'),
    '--rotate': leaveOut('the first StyleGAN has no input transform'),
    '--output': 'this command writes a file for each seed; name their folder with --outdir',
    '--rows': here('--uncurated-rows'),
  },
  mix: { ...drawing, '--outdir': file, '--row-seeds': here('--rows'), '--col-seeds': here('--cols') },
  truncate: { ...drawing, '--outdir': file, '--psis': psi },
  noise: { ...drawing, '--outdir': file },
  video: {
    ...drawing,
    '--outdir': file,
    '--shuffle-seed': 'give --seeds in the order that is wanted',
    '--num-keyframes': 'each seed of --seeds is a key frame: give as many as are wanted',
  },
  metrics: {
    '--network-pkl': network,
    '--pkl': network,
    '--gen': network,
    '--gpus': leaveOut('one device measures: --device chooses it'),
    '--verbose': leaveOut('progress is shown on a terminal anyway'),
    '--num': here('--metrics-num'),
    '--num-gen': here('--metrics-num'),
  },
  project: {
    '--network-pkl': network,
    '--pkl': network,
    '--target-fname': here('--target'),
    '--save-video': leaveOut('a video is always written'),
    '--steps': here('--num-steps'),
  },
  'dataset inspect': { '--source': noFlag, '--dest': leaveOut('nothing is prepared here') },
  'dataset prepare': datasetTool,
  'dataset export': datasetTool,
  'classifier train': { '--rate': here('--lr'), '--glr': here('--lr'), '--dlr': here('--lr') },
}

/** What to write in place of a flag that a command does not have. */
export function otherFlag(command: string, flag: string): string | undefined {
  return flags[command]?.[flag.replaceAll('_', '-').toLowerCase()]
}

/** What to call in place of a script of another program. */
export const otherCommands: Answers = {
  gen_images: 'its name here is stylegan generate',
  gen_video: 'its name here is stylegan video',
  style_mixing: 'its name here is stylegan mix',
  calc_metrics: 'its name here is stylegan metrics',
  dataset_tool:
    'its name here is stylegan dataset prepare, or export for PNG files; train --data takes images as they are',
  legacy: 'its name here is stylegan import',
  sample: 'its name here is stylegan generate',
  projector: 'its name here is stylegan project',
  evaluate: 'its name here is stylegan metrics',
}

"""Makes a folder of JPEG files of 1024x1024 for benchmark/datasets.ts: noise at all scales, as photographs have it."""
import os
import sys

import numpy as np
from PIL import Image

folder, count = sys.argv[1], int(sys.argv[2])
os.makedirs(folder)
rng = np.random.default_rng(0)
distinct = min(count, 40)
for k in range(distinct):
    image = rng.normal(128, 4, [1024, 1024, 3])
    for scale in range(2, 11):
        noise = rng.normal(size=[2**scale, 2**scale, 3])
        noise = noise.mean(2, keepdims=True) * 1.5 + noise * 0.4
        planes = [Image.fromarray(noise[..., c].astype('f4')).resize((1024, 1024), Image.BICUBIC) for c in range(3)]
        image += np.stack([np.asarray(plane) for plane in planes], 2) * 60 * 2.0 ** (-1.05 * (scale - 2))
    Image.fromarray(np.clip(image, 0, 255).astype('u1')).save(f'{folder}/{k:04}.jpg', quality=90)
for k in range(distinct, count):
    os.link(f'{folder}/{k % distinct:04}.jpg', f'{folder}/{k:04}.jpg')

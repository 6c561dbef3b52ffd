"""Makes the fixtures of this folder: images and what Pillow and LittleCMS make of them (Pillow 13, NumPy)."""
import io
import struct

import numpy as np
from PIL import Image, ImageCms

rng = np.random.default_rng(0)


def picture(width, height, channels):
    """Blobs with edges and noise: every filter shows in them."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x * rng.uniform(0.2, 1.5) + y * rng.uniform(0.2, 1.5) + c) for c in range(channels)]
    pixels = 128 + 90 * np.sign(np.stack(waves, 2)) + rng.normal(0, 20, [height, width, channels])
    return np.clip(pixels, 0, 255).astype(np.uint8)


filters = {'box': Image.BOX, 'lanczos': Image.LANCZOS, 'bicubic': Image.BICUBIC}

# The centre square of 61x47, smaller and larger.
rgb = Image.fromarray(picture(61, 47, 3))
rgb.save('rgb.png')
for name, resample in filters.items():
    for side in [16, 64]:
        rgb.crop((7, 0, 54, 47)).resize((side, side), resample).save(f'rgb-{name}-{side}.png')
rgba = Image.fromarray(picture(47, 47, 4))
rgba.save('rgba.png')
rgba.resize((16, 16), Image.LANCZOS).save('rgba-lanczos-16.png')

# center-crop-wide of StyleGAN3's dataset_tool to 32x24: rows (49 - 31) // 2 to (49 + 31) // 2, 31 = round(32 * 49 / 50).
wide = Image.fromarray(picture(50, 49, 3))
wide.save('wide.png')
square = Image.new('RGB', (32, 32))
square.paste(wide.crop((0, 9, 50, 40)).resize((32, 24), Image.LANCZOS), (0, 4))
square.save('wide-32x24.png')


def fixed(*values):
    return b''.join(struct.pack('>i', round(value * 65536)) for value in values)


def profile(space, tags):
    """An ICC profile of version 2 with these tags."""
    tags = {b'desc': b'desc' + bytes(4) + struct.pack('>I', 2) + b'x\0' + bytes(78), b'wtpt': xyz(0.9642, 1, 0.8249), **tags}
    data, table, at = b'', struct.pack('>I', len(tags)), 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += struct.pack('>4sII', name, at + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    header = struct.pack('>I4sI4s4s4s', at + len(data), b'lcms', 0x02400000, b'mntr', space, b'XYZ ')
    header += struct.pack('>6H', 2026, 1, 1, 0, 0, 0) + b'acsp' + bytes(28) + fixed(0.9642, 1, 0.8249)
    return header.ljust(128, b'\0') + table + data


def xyz(*values):
    return b'XYZ ' + bytes(4) + fixed(*values)


def gamma(value):
    return b'curv' + bytes(4) + struct.pack('>IH', 1, round(value * 256)) + bytes(2)


# Adobe RGB (1998): primaries adapted to D50.
adobe = profile(b'RGB ', {
    b'rXYZ': xyz(0.60974, 0.31111, 0.01947), b'gXYZ': xyz(0.20528, 0.62567, 0.06087),
    b'bXYZ': xyz(0.14919, 0.06322, 0.74457), b'rTRC': gamma(2.2), b'gTRC': gamma(2.2), b'bTRC': gamma(2.2)})
gray = profile(b'GRAY', {b'kTRC': gamma(1.8)})
srgb = ImageCms.createProfile('sRGB')


def converted(image, icc, mode):
    return ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(icc)), srgb, outputMode=mode)


colours = Image.fromarray(rng.integers(0, 256, [16, 16, 3], dtype=np.uint8))
colours.save('adobe.png', icc_profile=adobe)
colours.save('adobe.jpg', icc_profile=adobe, quality=100, subsampling=0)
converted(colours, adobe, 'RGB').save('adobe-srgb.png')
ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
ramp.save('gray.png', icc_profile=gray)
converted(ramp, gray, 'RGB').save('gray-srgb.png')

"""Draws from a generator that `stylegan export --format safetensors` wrote, with PyTorch alone. MIT licence.

    python stylegan_torch.py network.safetensors --seeds 0,1,2 --outdir out

gives the pictures of `stylegan generate --network network.safetensors --seeds 0,1,2`. As a module:

    network = StyleGAN("network.safetensors")
    images = network(network.latent(seed=0), psi=0.7)  # [1, C, H, W], nominally -1 to 1
"""

import argparse
import json
import math
import os
import struct
import zlib

import torch
import torch.nn.functional as F

SLOPE = 0.2
GAIN = math.sqrt(2)


class StyleGAN:
    """A generator of StyleGAN or Progressive GAN: official variables, one function for each part."""

    def __init__(self, path, device="cpu"):
        with open(path, "rb") as file:
            data = bytearray(file.read())
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + length])
        metadata = header.pop("__metadata__", {})
        if not metadata.get("format", "").startswith("stylegan-network-"):
            raise ValueError(f"{path}: a file of 'stylegan export' is expected")
        self.options = json.loads(metadata["network"])
        self.semantics = self.options.get("semantics", {})
        self.classes = json.loads(metadata.get("classes", "[]"))
        self.lod = float(metadata.get("lod", 0))
        self.variables = {}
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            if name.startswith(("G/", "D/")) or start == end:
                continue
            values = torch.frombuffer(data, dtype=torch.float32, count=(end - start) // 4, offset=8 + length + start)
            name = name[3:] if name.startswith("Gs/") else name
            self.variables[name] = values.reshape(entry["shape"]).clone().to(device)
        self.device = device
        self.config = self.options.get("config", "F")
        self.traditional = self.config in "AB"
        self.prefix = "" if self.config == "A" else "G_synthesis/"
        self.levels = int(math.log2(self.options["resolution"]))

    def latent(self, seed):
        """z of a seed, as `stylegan generate --seeds` has it."""
        return normals(seed, 4, self.options["latentSize"]).reshape(1, -1).to(self.device)

    def label(self, index):
        size = self.options["labelSize"]
        return F.one_hot(torch.tensor([index]), size).float().to(self.device) if size else None

    def __call__(self, z, labels=None, psi=1.0, cutoff=None, noise="const"):
        """Images of z `[N, latentSize]`: layers below the cutoff truncated with psi, noise "const", "random" or "none"."""
        w = self.mapping(z, labels)
        layers = 2 * self.levels - 2
        styles = [w] * layers
        if psi != 1:
            average = self.variables["dlatent_avg"]
            near = average + psi * (w - average)
            styles = [near if cutoff is None or i < cutoff else w for i in range(layers)]
        return self.synthesis(styles, noise)

    def mapping(self, z, labels=None):
        """w `[N, dlatentSize]` of z."""
        if self.options["labelSize"]:
            embedding = self.variables.get("G_mapping/LabelConcat/weight")
            z = torch.cat([z, labels if embedding is None else labels @ embedding], 1)
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        lrmul = self.options["mappingLrmul"]
        for i in range(self.options["mappingLayers"]):
            x = F.leaky_relu(self.dense(f"G_mapping/Dense{i}", x, GAIN, lrmul), SLOPE)
        return x

    def synthesis(self, styles, noise="const"):
        """Images `[N, C, H, W]` of one w for each layer, at the level of detail of the file."""
        top = self.levels - math.floor(self.lod)
        fade = self.lod - math.floor(self.lod)
        x = before = self.block4(styles, noise)
        for level in range(3, top + 1):
            side = 2**level
            before = x
            x = self.after(2 * level - 4, f"{side}x{side}/Conv0_up", self.up(level, x), styles, noise)
            name = f"{side}x{side}/Conv1"
            x = self.after(2 * level - 3, name, self.conv(name, x), styles, noise)
        image = self.to_rgb(top, x)
        if fade > 0:
            image = image + fade * (self.upscale(self.to_rgb(top - 1, before)) - image)
        return F.interpolate(image, scale_factor=2 ** math.floor(self.lod)) if self.lod >= 1 else image

    def block4(self, styles, noise):
        start = self.variables.get(f"{self.prefix}4x4/Const/const")
        if start is None:
            first, w = "4x4/Dense", styles[0]
            weight = self.variables[f"{self.prefix}4x4/Dense/weight"]
            x = (w @ (weight * (GAIN / 4 / math.sqrt(weight.shape[0])))).reshape(len(w), -1, 4, 4)
        else:
            first, x = "4x4/Const", start.expand(len(styles[0]), -1, -1, -1)
        x = self.after(0, first, x, styles, noise)
        return self.after(1, "4x4/Conv", self.conv("4x4/Conv", x), styles, noise)

    def after(self, layer, name, x, styles, noise):
        """Noise, bias, activation, normalisation, style."""
        bias = self.variables[f"{self.prefix}{name}/bias"].reshape(1, -1, 1, 1)
        if self.traditional:
            x = F.leaky_relu(x + bias, SLOPE)
            return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        strength = self.variables.get(f"{self.prefix}{name}/Noise/weight")
        if strength is not None and noise != "none":
            size = (len(x), 1, *x.shape[2:])
            maps = torch.randn(size, device=x.device) if noise == "random" else self.variables[f"G_synthesis/noise{layer}"]
            x = x + maps * strength.reshape(1, -1, 1, 1)
        if not (self.semantics.get("biasBeforeBlur") and name.endswith("Conv0_up")):
            x = x + bias
        late = self.semantics.get("styleBeforeActivation", False)
        x = x if late else F.leaky_relu(x, SLOPE)
        x = x - x.mean((2, 3), keepdim=True)
        x = x * (x.square().mean((2, 3), keepdim=True) + self.semantics.get("epsilon", 1e-8)).rsqrt()
        style = self.dense(f"{self.prefix}{name}/StyleMod", styles[layer], 1)
        scale, shift = style.reshape(len(x), 2, -1, 1, 1).unbind(1)
        x = x * (scale + 1) + shift
        return F.leaky_relu(x, SLOPE) if late else x

    def dense(self, name, x, gain, lrmul=1.0):
        weight, bias = self.variables[f"{name}/weight"], self.variables[f"{name}/bias"]
        return x @ (weight * (gain / math.sqrt(weight.shape[0]) * lrmul)) + bias * lrmul

    def kernel(self, name, gain=GAIN):
        weight = self.variables[f"{self.prefix}{name}/weight"]
        return (weight * (gain / math.sqrt(weight[..., 0].numel()))).permute(3, 2, 0, 1)

    def conv(self, name, x):
        return F.conv2d(x, self.kernel(name), padding=1)

    def up(self, level, x):
        """Upscale, convolution, blur. The official fused form turns the kernel."""
        name = f"{2**level}x{2**level}/Conv0_up"
        fused = self.options["fusedScale"]
        fused = 2**level >= 128 if fused == "auto" else fused
        kernel = self.kernel(name)
        turned = kernel.flip(2, 3) if fused and not self.semantics.get("bilinear") else kernel
        x = F.conv2d(self.upscale(x), turned, padding=1)
        if self.semantics.get("biasBeforeBlur"):
            x = x + self.variables[f"{self.prefix}{name}/bias"].reshape(1, -1, 1, 1)
        if self.config == "A" or self.semantics.get("sharpG"):
            return x
        taps = torch.tensor([1.0, 2.0, 1.0], device=x.device) / 4
        return F.conv2d(x, torch.outer(taps, taps).expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])

    def upscale(self, x):
        if self.semantics.get("bilinear"):
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return F.interpolate(x, scale_factor=2)

    def to_rgb(self, level, x):
        name = f"ToRGB_lod{self.levels - level}"
        return F.conv2d(x, self.kernel(name, 1), self.variables[f"{self.prefix}{name}/bias"])


def philox(counter, key):
    """Four random words: Philox4x32-10 (Salmon et al. 2011)."""
    for _ in range(10):
        a, b = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = [(b >> 32) ^ counter[1] ^ key[0], b & 0xFFFFFFFF, (a >> 32) ^ counter[3] ^ key[1], a & 0xFFFFFFFF]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return counter


def normals(seed, stream, count):
    """Standard normal numbers, those of the stylegan package."""
    words = [word for block in range(-(-count // 4)) for word in philox([block, 0, stream, 0], [seed & 0xFFFFFFFF, seed >> 32])]
    u = [((word >> 8) + 0.5) / 2**24 for word in words]
    values = []
    for a, b in zip(u[::2], u[1::2]):
        radius = math.sqrt(-2 * math.log(a))
        values += [radius * math.cos(2 * math.pi * b), radius * math.sin(2 * math.pi * b)]
    return torch.tensor(values[:count])


def to_bytes(images):
    """uint8 `[N, H, W, C]`."""
    return (images * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def write_png(path, pixels):
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + bytes(row.reshape(-1).tolist()) for row in pixels)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def main():
    parser = argparse.ArgumentParser(description="Draw pictures of seeds from an exported generator.")
    parser.add_argument("network")
    parser.add_argument("--seeds", default="0", help="such as 0,1,2")
    parser.add_argument("--trunc", type=float, help="psi (default 0.7, without styles 1)")
    parser.add_argument("--trunc-cutoff", type=int, default=8, help="layers that are truncated")
    parser.add_argument("--class", dest="label", type=int, default=0, help="class of a network with labels")
    parser.add_argument("--noise-mode", default="const", choices=["const", "random", "none"])
    parser.add_argument("--outdir", default="out")
    arguments = parser.parse_args()
    network = StyleGAN(arguments.network)
    psi = arguments.trunc if arguments.trunc is not None else 1 if network.traditional else 0.7
    os.makedirs(arguments.outdir, exist_ok=True)
    for seed in map(int, arguments.seeds.split(",")):
        with torch.no_grad():
            z = network.latent(seed)
            images = network(z, network.label(arguments.label), psi, arguments.trunc_cutoff, arguments.noise_mode)
        path = os.path.join(arguments.outdir, f"seed{seed:04d}.png")
        write_png(path, to_bytes(images)[0])
        print(path)


if __name__ == "__main__":
    main()

"""StyleGAN configuration F in PyTorch, in the four ways that make PyTorch fast: a peer of `npm run bench:peers`.

Parameters come from a snapshot of ours by their official names, so that both sides compute the same numbers. Modes:

eager           the official form of the resampling convolutions: nearest upscale and 3x3, 3x3 and average pool, the 4x4
                "fused" form from 128x128 on (fused_scale 'auto'); channels_last
eager-fused     the 4x4 form at every size: the same function with 2.25x less work
compiled, compiled-fused    the same two through torch.compile; R1 by nested torch.func.grad, because plain autograd cannot
                differentiate a compiled graph twice
…-nchw          each of them in PyTorch's own layout
"""
import contextlib
import math
import statistics
import time

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file

from serve import serve

HE = math.sqrt(2)
CHANNELS_LAST = torch.channels_last


# ---- parameters ----------------------------------------------------------------------------------------------------


def load(path, prefix, device, layout=CHANNELS_LAST):
    """Tensors of a file whose names begin with `prefix`; filters in a memory layout."""
    tensors = {}
    with safe_open(path, 'pt', device=device) as file:
        for name in file.keys():
            if name.startswith(prefix):
                tensors[name[len(prefix):]] = to_torch(name, file.get_tensor(name), layout)
    return tensors


def to_torch(name, x, layout):
    if name.endswith('/weight') and x.dim() == 4:  # [k, k, in, out]
        return x.permute(3, 2, 0, 1).contiguous(memory_format=layout)
    if name.endswith('/weight') and x.dim() == 2:  # [in, out]
        return x.t().contiguous()
    return x


def trained(params):
    """Those that receive gradients at lod 0: not the noise buffers, not the RGB layers of smaller images."""
    used = {}
    for name, x in params.items():
        fixed = name.split('/')[-1] in ('lod', 'dlatent_avg') or name.startswith('G_synthesis/noise')
        if not fixed and ('RGB_lod' not in name or 'RGB_lod0/' in name):
            used[name] = x.requires_grad_()
    return used


def spread(w):
    """Sum of the four shifts of a 3x3 filter by one pixel: 4x4."""
    return F.pad(w, (0, 1, 0, 1)) + F.pad(w, (1, 0, 0, 1)) + F.pad(w, (0, 1, 1, 0)) + F.pad(w, (1, 0, 1, 0))


def resampling(w, up, fused, turned):
    """Filter of a resampling convolution; the official fused form leaves out the turn that makes both forms equal."""
    if not fused:
        return w
    return spread((w if turned else w.flip(2, 3)).transpose(0, 1)) if up else spread(w) * 0.25


def effective(params, fused):
    """Weights as they are used: the equalised learning rate, and the filters of fused layers."""
    used = {}
    for name, x in params.items():
        last = name.split('/')[-1]
        if last == 'weight' and x.dim() > 1:
            linear = 'StyleMod' in name or 'ToRGB' in name or name == '4x4/Dense1/weight'
            gain = 1 if linear else HE
            lrmul = 0.01 if name.startswith('G_mapping') else 1
            x = x * (gain / math.sqrt(x[0].numel()) * lrmul)
            if x.dim() == 4 and ('_up/' in name or '_down/' in name):
                side = int(name.split('/')[-3].split('x')[0])
                x = resampling(x, '_up/' in name, fused or side >= 128, side >= 128)
        elif last == 'bias' and name.startswith('G_mapping'):
            x = x * 0.01
        used[name] = x
    return used


# ---- layers --------------------------------------------------------------------------------------------------------


class Model:
    """Functions of (params, inputs); `params` are effective weights."""

    def __init__(self, resolution, eager, layout=CHANNELS_LAST):
        self.layout = layout
        self.R = int(math.log2(resolution))
        # Activation in place saves a pass in eager mode; functional transforms do not take it.
        self.lrelu = (lambda x: F.leaky_relu_(x, 0.2)) if eager else (lambda x: F.leaky_relu(x, 0.2))
        self.blur = Blur.apply if eager else blur

    def mapping(self, p, z):
        x = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for i in range(8):
            x = self.lrelu(F.linear(x, p[f'G_mapping/Dense{i}/weight'], p[f'G_mapping/Dense{i}/bias']))
        return x

    def epilogue(self, p, name, x, noise, w, bias):
        """Noise, bias, leaky ReLU, adaptive instance normalisation. The bias may already be in the convolution."""
        x = torch.addcmul(x, noise, p[f'{name}/Noise/weight'][:, None, None])
        if bias:
            x = x + p[f'{name}/bias'][:, None, None]
        x = self.lrelu(x)
        style = F.linear(w, p[f'{name}/StyleMod/weight'], p[f'{name}/StyleMod/bias'])[:, :, None, None]
        return self.adain(x, *style.chunk(2, 1))

    def adain(self, x, scale, shift):
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        scale = (scale + 1) * torch.rsqrt(variance + 1e-8)
        if x.shape[2] == 4:  # layer 0 normalises a constant: one fused multiply and add would cancel
            return torch.addcmul(shift, x - mean, scale)
        return torch.addcmul(shift - mean * scale, x, scale)

    def generator(self, p, z, noise):
        """Images [N, 3, side, side] of latents [N, latent] and one noise [N or 1, 1, H, W] a layer."""
        w = self.mapping(p, z)
        x = p['G_synthesis/4x4/Const/const'].expand(z.shape[0], -1, -1, -1).contiguous(memory_format=self.layout)
        x = self.epilogue(p, 'G_synthesis/4x4/Const', x, noise[0], w, True)
        x = self.conv(p, 'G_synthesis/4x4/Conv', x)
        x = self.epilogue(p, 'G_synthesis/4x4/Conv', x, noise[1], w, False)
        for r in range(3, self.R + 1):
            name = f'G_synthesis/{2**r}x{2**r}'
            x = self.blur(self.up(p[f'{name}/Conv0_up/weight'], x))
            x = self.epilogue(p, f'{name}/Conv0_up', x, noise[2 * r - 4], w, True)
            x = self.conv(p, f'{name}/Conv1', x)
            x = self.epilogue(p, f'{name}/Conv1', x, noise[2 * r - 3], w, False)
        name = 'G_synthesis/ToRGB_lod0'
        return F.conv2d(x, p[f'{name}/weight'], p[f'{name}/bias'])

    def discriminator(self, p, x):
        x = self.lrelu(F.conv2d(x, p['FromRGB_lod0/weight'], p['FromRGB_lod0/bias']))
        for r in range(self.R, 2, -1):
            name = f'{2**r}x{2**r}'
            x = self.lrelu(self.conv(p, f'{name}/Conv0', x))
            x = self.lrelu(self.down(p[f'{name}/Conv1_down/weight'], p[f'{name}/Conv1_down/bias'], self.blur(x)))
        N, C, H, W = x.shape
        groups = N // min(4, N)
        deviation = (x.reshape(-1, groups, C, H, W).var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        deviation = deviation.repeat(N // groups)[:, None, None, None].expand(N, 1, H, W)
        x = self.lrelu(self.conv(p, '4x4/Conv', torch.cat([x, deviation], 1)))
        x = self.lrelu(F.linear(x.flatten(1), p['4x4/Dense0/weight'], p['4x4/Dense0/bias']))
        return F.linear(x, p['4x4/Dense1/weight'], p['4x4/Dense1/bias'])

    def conv(self, p, name, x):
        return F.conv2d(x, p[f'{name}/weight'], p[f'{name}/bias'], padding=1)

    def up(self, w, x):
        if w.shape[2] == 4:
            return F.conv_transpose2d(x, w, stride=2, padding=1)
        return F.conv2d(F.interpolate(x, scale_factor=2.0, mode='nearest'), w, padding=1)

    def down(self, w, bias, x):
        if w.shape[2] == 4:
            return F.conv2d(x, w, bias, stride=2, padding=1)
        return F.avg_pool2d(F.conv2d(x, w, bias, padding=1), 2)


class OnnxModel(Model):
    """The same with ONNX's own instance normalisation: ONNX Runtime has a kernel for it, and PyTorch's exporter takes an
    epsilon of 1e-8 that is added for nothing (it may, where it is added to the mean square of z)."""

    def adain(self, x, scale, shift):
        return F.instance_norm(x, eps=1e-8) * (scale + 1) + shift


TAPS = torch.tensor([1.0, 2.0, 1.0]).outer(torch.tensor([1.0, 2.0, 1.0])) / 16


def blur(x):
    C = x.shape[1]
    return F.conv2d(x, TAPS.to(x).expand(C, 1, 3, 3), padding=1, groups=C)


class Blur(torch.autograd.Function):
    """The blur is its own adjoint. Without this, eager mode's second order computes a gradient of the taps, one channel at
    a time. torch.compile drops that by itself, and would take the gradient of this class for a constant."""

    @staticmethod
    def forward(ctx, x):
        return blur(x)

    @staticmethod
    def backward(ctx, g):
        return Blur.apply(g)


def median(seconds, least, measure):
    """The median of as many times as fill `seconds`, at least `least`."""
    times = []
    while sum(times) < seconds or len(times) < least:
        times.append(measure())
    return statistics.median(times)


# ---- one side of the benchmark -------------------------------------------------------------------------------------


class Side:
    """One open model; each method answers one request."""

    def open(self, weights, inputs, mode, threads, resolution, batch, device, precision, gamma, rate, averageBeta, drawing=False, avx2=False):
        if device == 'cuda' and not torch.cuda.is_available():
            raise RuntimeError('a GPU that PyTorch can use is expected, and there is none')
        self.device = device
        # Without a scale of the loss: less work than AMP takes in a real training.
        dtype = {'f32': None, 'bf16': torch.bfloat16, 'f16': torch.float16}[precision]
        self.amp = contextlib.nullcontext if dtype is None else lambda: torch.autocast(device, dtype)
        torch.backends.cudnn.benchmark = True
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        if avx2:
            # The environment confines all but the compiler.
            import torch._inductor.config as inductor
            inductor.cpp.simdlen = 256
        compiled = self.compiled = mode.startswith('compiled')
        self.fused = 'fused' in mode
        layout = torch.contiguous_format if mode.endswith('nchw') else CHANNELS_LAST
        self.batch, self.gamma, self.average_beta = batch, gamma, averageBeta
        model = self.model = Model(resolution, not compiled, layout)
        Gs = load(weights, 'Gs/', device, layout)
        self.noise = [Gs[f'G_synthesis/noise{i}'] for i in range(2 * model.R - 2)]
        self.Gs = trained(Gs)
        self.inputs = load(inputs, 'latents' if drawing else '', device)
        self.latents = self.inputs[''] if drawing else self.inputs['latents']
        if not drawing:
            self.reals = self.inputs['reals']
            self.G, self.D = (trained(load(weights, f'{net}/', device)) for net in ('G', 'D'))
            adam = dict(lr=rate, betas=(0.0, 0.99), fused=True)
            self.g_adam = torch.optim.Adam(self.G.values(), **adam)
            self.d_adam = torch.optim.Adam(self.D.values(), **adam)
        self.drawing = drawing
        self.steps, self.prepared = 0, None

        def fakes(params, z, noise):
            return self.generated(effective(params, self.fused), z, noise)

        def images(prepared, z, noise):
            pixels = (self.generated(prepared, z, noise) * 127.5 + 128).clamp(0, 255)
            return pixels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()

        wrap = torch.compile(fullgraph=True, dynamic=False) if compiled else lambda f: f
        self.fakes, self.images = wrap(fakes), wrap(images)
        self.gradients = (wrap(self.d_transformed), wrap(self.g_transformed)) if compiled else (self.d_eager, self.g_eager)
        return {'torch': torch.__version__, 'simd': torch.backends.cpu.get_cpu_capability()}

    def generated(self, p, z, noise):
        with self.amp():
            return self.model.generator(p, z, noise).float()

    def scored(self, p, images):
        with self.amp():
            return self.model.discriminator(p, images).float()

    # Gradients in eager mode.

    def d_eager(self, params, reals, fakes):
        p = effective(params, self.fused)
        reals = reals.requires_grad_()
        fake, real = self.scored(p, fakes), self.scored(p, reals)
        (g,) = torch.autograd.grad(real.sum(), reals, create_graph=True)
        loss, stats = self.d_loss(fake, real, g)
        return dict(zip(params, torch.autograd.grad(loss, list(params.values())))), stats

    def g_eager(self, params, critic, z, noise):
        scores = self.scored(effective(critic, self.fused), self.fakes(params, z, noise))
        loss = F.softplus(-scores).mean()
        return dict(zip(params, torch.autograd.grad(loss, list(params.values())))), torch.stack([loss, scores.mean()])

    # The same as functions of functions, for torch.compile.

    def d_transformed(self, params, reals, fakes):
        def loss(params):
            p = effective(params, self.fused)

            def total(images):
                scores = self.scored(p, images)
                return scores.sum(), scores

            g, real = torch.func.grad(total, has_aux=True)(reals)
            return self.d_loss(self.scored(p, fakes), real, g)

        return torch.func.grad(loss, has_aux=True)(params)

    def g_transformed(self, params, critic, z, noise):
        def loss(params):
            images = self.generated(effective(params, self.fused), z, noise)
            scores = self.scored(effective(critic, self.fused), images)
            value = F.softplus(-scores).mean()
            return value, torch.stack([value, scores.mean()])

        return torch.func.grad(loss, has_aux=True)(params)

    def d_loss(self, fake, real, g):
        """Logistic loss and R1 on images at full size; statistics in our order."""
        penalty = g.square().sum((1, 2, 3)).mean() * (self.gamma / 2)
        loss = (F.softplus(fake) + F.softplus(-real)).mean() + penalty
        return loss, torch.stack([loss, real.mean(), fake.mean(), penalty]).detach()

    # Requests.

    def train(self):
        """One iteration: discriminator step with R1, generator step, Adam, running average."""
        began = time.perf_counter()
        detached = {net: {k: v.detach() for k, v in getattr(self, net).items()} for net in ('G', 'D')}
        with torch.no_grad():
            fakes = self.fakes(detached['G'], *self.draw('D'))
        pixels = self.reals.to(torch.float32).mul_(2 / 255).sub_(1).permute(0, 3, 1, 2)
        # Nested transforms find the gradients themselves: they take parameters without a history.
        gradients, d_stats = self.gradients[0](detached['D'] if self.compiled else self.D, pixels, fakes)
        self.step(self.d_adam, self.D, gradients)
        z, noise = self.draw('G')
        gradients, g_stats = self.gradients[1](detached['G'] if self.compiled else self.G, detached['D'], z, noise)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.Gs.values()), list(self.G.values()), 1 - self.average_beta)
        self.step(self.g_adam, self.G, gradients)
        stats = torch.cat([d_stats, g_stats.detach()]).tolist()
        self.steps += 1
        self.wait()
        return {'seconds': time.perf_counter() - began, 'stats': stats}

    def iterations(self, seconds):
        """Median time of as many iterations as fill `seconds`."""
        return {'seconds': median(seconds, 1, lambda: self.train()['seconds'])}

    def wait(self):
        if self.device == 'cuda':
            torch.cuda.synchronize()

    def step(self, adam, params, gradients):
        for name, x in params.items():
            # The fused Adam goes through memory as it lies: it would mix up the elements of another layout.
            g = gradients[name].detach()
            x.grad = g if g.stride() == x.stride() else torch.empty_like(x).copy_(g)
        # TensorFlow, and we, add epsilon before the correction of the bias.
        adam.param_groups[0]['eps'] = 1e-8 / math.sqrt(1 - 0.99 ** (self.steps + 1))
        adam.step()
        adam.zero_grad(set_to_none=True)

    def draw(self, network):
        """Latents and noise: those of our first steps, so that losses can be compared, then random ones."""
        given = f'step{self.steps}/{network}'
        if f'{given}/z' in self.inputs:
            noise = [self.inputs[f'{given}/noise{i}'] for i in range(len(self.noise))]
            return self.inputs[f'{given}/z'], [x.reshape(x.shape[0], 1, *x.shape[1:3]) for x in noise]
        noise = [torch.randn(self.batch, 1, *x.shape[2:], device=self.device) for x in self.noise]
        return torch.randn(self.batch, self.latents.shape[1], device=self.device), noise

    def check(self, output):
        """Images of the running average and, beside training, their scores."""
        with torch.no_grad():
            images = self.generated(effective(self.Gs, self.fused), self.latents, self.noise)
            found = {'images': images.permute(0, 2, 3, 1).contiguous().cpu()}
            if not self.drawing:
                found['scores'] = self.scored(effective(self.D, self.fused), images).cpu()
        save_file(found, output)
        return {}

    def first(self, batch):
        """Time of the first images; a compiled mode compiles."""
        began = time.perf_counter()
        self.draw_images(torch.randn(batch, self.latents.shape[1], device=self.device))
        return {'seconds': time.perf_counter() - began}

    def draw_images(self, z):
        if self.prepared is None:
            with torch.no_grad():
                self.prepared = {k: v.detach() for k, v in effective(self.Gs, self.fused).items()}
        with torch.inference_mode():
            self.images(self.prepared, z, self.noise)
            self.wait()

    def generate(self, batch, seconds):
        """Median time of images as bytes, from latents, with the weights ready for use."""
        z = torch.randn(batch, self.latents.shape[1], device=self.device)

        def draw():
            began = time.perf_counter()
            self.draw_images(z)
            return time.perf_counter() - began

        return {'seconds': median(seconds, 3, draw)}

    def export(self, path):
        """The generator of bytes as an ONNX file, for batches of any size."""
        with torch.no_grad():
            prepared = {k: v.detach() for k, v in effective(self.Gs, self.fused).items()}
        model, noise = OnnxModel(2**self.model.R, eager=False), self.noise

        class Generator(torch.nn.Module):
            def forward(self, z):
                return (model.generator(prepared, z, noise) * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

        dynamic = {'z': {0: torch.export.Dim('n', min=1, max=64)}}
        z = self.latents[:2]
        options = dict(dynamo=True, external_data=False, verbose=False)
        names = dict(input_names=['z'], output_names=['images'])
        torch.onnx.export(Generator().eval(), (z,), path, dynamic_shapes=dynamic, **options, **names)
        return {}


if __name__ == '__main__':
    serve(Side())

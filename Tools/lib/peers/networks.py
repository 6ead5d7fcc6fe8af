"""The networks of Stable Diffusion 1.5 in PyTorch, in their published shapes, with random weights.

`load(name)` builds one as a module that takes plain tensors, `example(name, size, batch)` its inputs:

    unet      latent [B, 4, h, w], timestep [B], context [B, 77, 768] -> [B, 4, h, w]
    decoder   latent [B, 4, h, w] -> picture [B, 3, 8h, 8w]
    encoder   picture [B, 3, H, W] -> moments [B, 8, H/8, W/8]
    text      tokens [B, 77] -> states [B, 77, 768]

Weights of a layer of K inputs are Gaussian with the deviation 1/sqrt(K), all drawn: OpenVINO keeps equal ones once.
"""
import torch

NAMES = ("unet", "decoder", "encoder", "text")
INPUTS = {"unet": ("latent", "timestep", "context"), "decoder": ("latent",), "encoder": ("picture",), "text": ("tokens",)}

UNET = dict(
    sample_size=64, block_out_channels=(320, 640, 1280, 1280), layers_per_block=2, cross_attention_dim=768,
    attention_head_dim=8, down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3)
AUTOENCODER = dict(
    block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=512,
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
TEXT = dict(
    vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
    max_position_embeddings=77, hidden_act="quick_gelu")


class UNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        from diffusers import UNet2DConditionModel
        self.net = UNet2DConditionModel(**UNET)

    def forward(self, latent, timestep, context):
        return self.net(latent, timestep, encoder_hidden_states=context, return_dict=False)[0]


class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        from diffusers import AutoencoderKL
        whole = AutoencoderKL(**AUTOENCODER)
        self.convolution, self.net = whole.post_quant_conv, whole.decoder

    def forward(self, latent):
        return self.net(self.convolution(latent))


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        from diffusers import AutoencoderKL
        whole = AutoencoderKL(**AUTOENCODER)
        self.net, self.convolution = whole.encoder, whole.quant_conv

    def forward(self, picture):
        return self.convolution(self.net(picture))


class Text(torch.nn.Module):
    def __init__(self):
        super().__init__()
        from transformers import CLIPTextConfig, CLIPTextModel
        self.net = CLIPTextModel(CLIPTextConfig(**TEXT, attn_implementation="sdpa"))

    def forward(self, tokens):
        return self.net(tokens)[0]


def load(name):
    made = {"unet": UNet, "decoder": Decoder, "encoder": Encoder, "text": Text}[name]
    torch.nn.init.kaiming_uniform_, kept = lambda *_, **__: None, torch.nn.init.kaiming_uniform_  # slow, and written over
    try:
        net = made()
    finally:
        torch.nn.init.kaiming_uniform_ = kept
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, p in net.named_parameters():
            p.requires_grad_(False)
            if p.ndim < 2:
                p.fill_(1.0 if key.endswith("weight") else 0.01)
            else:
                p.normal_(0, p[0].numel() ** -0.5, generator=draw)
    return net.eval()


def example(name, size=512, batch=1):
    draw = torch.Generator().manual_seed(2)
    side = size // 8
    latent = torch.randn(batch, 4, side, side, generator=draw)
    if name == "unet":
        return latent, torch.full((batch,), 501), torch.randn(batch, 77, 768, generator=draw)
    if name == "decoder":
        return (latent,)
    if name == "encoder":
        return (torch.rand(batch, 3, size, size, generator=draw) * 2 - 1,)
    return (torch.randint(0, 49000, (batch, 77), generator=draw),)

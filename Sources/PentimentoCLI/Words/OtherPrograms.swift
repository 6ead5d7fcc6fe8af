/// What people type who come from A1111's web UI, stable-diffusion.cpp or diffusers, where this program has another word for
/// it, or none. Names that mean the same here are names of the options themselves (`--guidance-scale`).
struct OtherPrograms: Sendable {
  /// As they are typed there.
  var names: [String]
  /// What to do here.
  var hint: String

  private init(_ names: String..., hint: String) { (self.names, self.hint) = (names, hint) }

  static let options = [
    OtherPrograms(
      "--sampling-method", "--sampler-name", "--schedule", "--scheduler", "--timestep-spacing",
      hint:
        "how noise is chosen is --sampler ode (DDIM), sde (with noise) or lcm, steps of second order are --solver dpm2 or "
        + "--order 2, and --spacing trailing is for models distilled to few steps; 'pentimento methods NAME' says what a "
        + "method takes"),
    OtherPrograms(
      "--batch-count", "--batch-size", "-b", "--num-images", "--num-images-per-prompt", "--image-count",
      "--num",
      hint: "give 'pentimento batch' a job with a list of seeds, as {\"prompt\": \"…\", \"seed\": [1, 2, 3]}"),
    OtherPrograms("-s", hint: "the seed is --seed"),
    OtherPrograms("--random-seed", hint: "--seed -1 draws one"),
    OtherPrograms("--cfg-src", "--cfg_src", hint: "the weight of the source prompt is --source-cfg-scale"),
    OtherPrograms(
      "--cfg-tar", "--cfg_tar", "--image-cfg-scale", hint: "the weight of the prompt is --cfg-scale"),
    OtherPrograms("--img", "--picture", "--photo", "--file", hint: "the picture is named with --image"),
    OtherPrograms(
      "--mode", "-M",
      hint:
        "a mode is a command here: edit changes a picture, generate makes one of a text, quantize converts a model"
    ),
    OtherPrograms(
      "--diffusion-model", "--unet", "--model-path", "--models-path", "--ckpt", "--checkpoint-path",
      "--resource-path", hint: "the model, or the file of its noise network alone, is named with --model"),
    OtherPrograms("--clip-l", "--clip_l", "--clip", hint: "the text encoder is named with --text-encoder"),
    OtherPrograms("--clip-g", "--clip_g", hint: "the second text encoder is named with --text-encoder-2"),
    OtherPrograms(
      "--taesd", "--tae", hint: "a tiny autoencoder is named with --vae, as any other"),
    OtherPrograms(
      "--lora-model-dir", "--lora-dir", "--lora-apply-mode",
      hint: "each LoRA is named with --lora FILE:STRENGTH"),
    OtherPrograms(
      "--type", "--quantize", "--tensor-type-rules",
      hint:
        "'pentimento quantize IN OUT.safetensors --weights int8' writes a quantized model, --rule NAME=fp16 says what "
        + "some weights become"),
    OtherPrograms(
      "--vae-tiling", "--vae-tile-size", "--max-vram", "--lowvram", "--medvram", "--low-vram",
      "--reduce-memory",
      "--offload-to-cpu", "--vae-on-cpu", "--clip-on-cpu", "--mmap", "--rpi-lowmem", "--memory-size",
      hint: "--max-ram SIZE says how much memory there is, and the program finds what fits into it"),
    OtherPrograms(
      "--fa", "--diffusion-fa", "--xformers", "--attention-slicing",
      hint: "attention is computed in pieces always; leave it out"),
    OtherPrograms(
      "--device", "--gpu", "--cuda", "--compute-units",
      hint: "the program computes on the processor: leave it out"),
    OtherPrograms(
      "--rng", "--sampler-rng",
      hint: "there is one generator of noise, the same on every machine: leave it out"),
    OtherPrograms(
      "--clip-skip", hint: "which layer of the text encoder is read is the model's to say: leave it out"),
    OtherPrograms(
      "--mask-blur", "--mask-padding", hint: "the edge of a mask is softened with --feather PIXELS"),
    OtherPrograms(
      "--control-net", "--controlnet", "--control-image", "--embd-dir", "--embeddings", "--upscale-model",
      "--hires",
      "--hires-fix", hint: "that is not done here: leave it out"),
    OtherPrograms(
      "--xa", "--sa", "--cross-replace-steps", "--self-replace-steps",
      hint:
        "attention maps are not exchanged here: 'pentimento methods --for object' lists what else there is"),
  ]

  private static let commands = [
    OtherPrograms("img2img", "inpaint", "image-to-image", hint: "that is 'pentimento edit'"),
    OtherPrograms("txt2img", "text-to-image", "img_gen", "text2img", hint: "that is 'pentimento generate'"),
    OtherPrograms("convert", hint: "that is 'pentimento quantize'"),
    OtherPrograms("version", hint: "that is 'pentimento --version'"),
  ]

  static func hint(option: String, of command: CommandInfo) -> String? {
    guard command.option(option) == nil,
      let hint = options.first(where: { $0.names.contains(option) })?.hint
    else { return nil }
    // What it says of another command holds for all.
    let named = hint.split { " ,;:'".contains($0) }.filter { $0.hasPrefix("--") }
    let holds = hint.contains("'pentimento ") || named.allSatisfy { command.option(String($0)) != nil }
    return holds ? hint : nil
  }

  /// How the model is named where it is an option.
  static let modelOptions = Set(["--model", "-m"] + options.filter { $0.hint.contains("--model") }.flatMap(\.names))

  static func hint(command: String) -> String? { commands.first { $0.names.contains(command) }?.hint }

  /// Names of samplers that are solvers or schedules here.
  static func hint(value: String, of option: OptionInfo) -> String? {
    guard option.name == "sampler" else { return nil }
    return switch value.lowercased().replacing("_", with: "-") {
    case "ddim": "ddim is ode, and sde with noise"
    case "ddpm", "euler-a", "euler-ancestral": "what puts noise into every step is sde"
    case "euler", "heun", "lms", "plms", "ddim-trailing": "what is deterministic is ode"
    case let name where name.hasPrefix("dpm"):
      "second order is --order 2 of inpaint and --solver dpm2 of ddpm-inversion"
    default: nil
    }
  }
}

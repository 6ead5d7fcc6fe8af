import ArgumentParser
import Editing
import Pentimento

/// What the methods can be told. Each takes what it has a use for and refuses the rest; what is not given is the
/// model's default or the method's own.
///
/// Numbers are parsed unconditionally: "-3" is a value, never an option, even where it is then refused.
struct SettingOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: "Steps of the whole schedule; iterations of sds and dds.")
  var steps: Double?

  @Option(
    name: [.customLong("cfg-scale"), .customLong("guidance-scale")], parsing: .unconditional,
    help: "Weight of the prompt (classifier-free guidance).")
  var cfgScale: Double?

  @Option(parsing: .unconditional, help: "Weight of the source prompt.")
  var sourceCfgScale: Double?

  @Option(
    parsing: .unconditional, help: "Part of the steps to leave out, 0 to 1: more stays closer to the picture."
  )
  var skip: Double?

  @Option(
    parsing: .unconditional, help: "Part of the schedule to run, 0 to 1: less stays closer to the picture.")
  var strength: Double?

  @Option(parsing: .unconditional, help: "Noise of a step, 0 to 1.")
  var eta: Double?

  @Option(help: "Deterministic (ode) or with noise in every step (sde).")
  var sampler: Sampler?

  @Option(parsing: .unconditional, help: "inpaint: order of the solver, 1 or 2.")
  var order: Double?

  @Option(
    name: [.customLong("learning-rate"), .customLong("lr")], parsing: .unconditional,
    help: "sds, dds: length of a step.")
  var learningRate: Double?

  @Option(
    parsing: .unconditional,
    help: "sds, dds: factor of the loss; not given, the step is the same at every size.")
  var lossScale: Double?

  @Option(parsing: .unconditional, help: "Concepts: strength where a concept does not say its own.")
  var conceptScale: Double?

  @Option(parsing: .unconditional, help: "Concepts: part of the picture that is left alone, 0 to 1.")
  var conceptThreshold: Double?

  @Option(parsing: .unconditional, help: "Concepts: first step at which they act.")
  var conceptWarmup: Double?

  @Option(parsing: .unconditional, help: "Concepts: first step at which they no longer act.")
  var conceptCooldown: Double?

  @Option(parsing: .unconditional, help: "sega, ledits: how much of the past guidance is added again.")
  var momentumScale: Double?

  @Option(parsing: .unconditional, help: "sega, ledits: how slowly the past guidance fades, 0 to 1.")
  var momentumBeta: Double?

  @Option(help: "ledits++: what its masks are made of: intersect, attention or noise.")
  var maskMode: String?

  @Option(parsing: .unconditional, help: "diffedit: samples for the automatic mask.")
  var maskMaps: Double?

  @Option(
    parsing: .unconditional, help: "diffedit: how much noise the picture gets for the automatic mask, 0 to 1."
  )
  var maskStrength: Double?

  @Option(parsing: .unconditional, help: "diffedit: weight of the prompts for the automatic mask.")
  var maskCfgScale: Double?

  @Option(
    parsing: .unconditional,
    help: "diffedit: the automatic mask is where the prompts differ by more than half of this times the mean."
  )
  var maskRatio: Double?

  @Flag(
    inversion: .prefixedNo,
    help: "diffedit, ode: guidance points away from the source prompt instead of the empty one.")
  var sourceAsNegative: Bool?

  @Flag(help: "diffedit, ode: blend one level too noisy, as a public pipeline does.")
  var referenceBlend = false

  @Option(parsing: .unconditional, help: "drag: half side of the moved square, in cells of 8 working pixels.")
  var radius: Double?

  @Option(parsing: .unconditional, help: "drag: length of one small drag, in cells of 8 working pixels.")
  var stepSize: Double?

  @Option(parsing: .unconditional, help: "drag: factor of the copy at the target.")
  var copyScale: Double?

  @Option(parsing: .unconditional, help: "drag: how much of the original stays at the source, 0 to 1.")
  var sourceScale: Double?

  @Option(
    parsing: .unconditional, help: "drag: factor of --lora files at the noisy end, 0 to 1; it starts at 1.")
  var loraMin: Double?

  @Flag(help: "End DDPM inversion as its authors' code does, which gives up exact reconstruction.")
  var officialLastStep = false

  var settings: MethodSettings {
    let numbers: [(Setting, Double?)] = [
      (.steps, steps), (.guidance, cfgScale), (.sourceGuidance, sourceCfgScale), (.skip, skip),
      (.strength, strength), (.eta, eta), (.order, order), (.learningRate, learningRate),
      (.lossScale, lossScale), (.conceptScale, conceptScale), (.conceptThreshold, conceptThreshold),
      (.conceptWarmup, conceptWarmup), (.conceptCooldown, conceptCooldown), (.momentumScale, momentumScale),
      (.momentumBeta, momentumBeta), (.maskMaps, maskMaps), (.maskStrength, maskStrength),
      (.maskGuidance, maskCfgScale), (.maskRatio, maskRatio), (.radius, radius), (.stepSize, stepSize),
      (.copyScale, copyScale),
      (.sourceScale, sourceScale), (.minAdapterScale, loraMin),
    ]
    var settings: MethodSettings = [:]
    for case (let setting, let value?) in numbers { settings[setting] = .number(value) }
    if let sampler { settings[.sampler] = .word(sampler.rawValue) }
    if let maskMode { settings[.maskMode] = .word(maskMode) }
    if let sourceAsNegative { settings[.sourceAsNegative] = .flag(sourceAsNegative) }
    if referenceBlend { settings[.referenceBlend] = .flag(true) }
    if officialLastStep { settings[.officialLastStep] = .flag(true) }
    return settings
  }
}

extension Sampler: ExpressibleByArgument {}

import Editing
import Files
import JSON
import Packing
import Platform
import StableDiffusion
import Tensors
import WeightStorage

/// An opened Stable Diffusion model: configurations, tokenizers, schedule and the weights of its networks, all
/// validated. Weights are read when a stage runs.
public final class Model: Sendable {
  public let name: String
  public let schedule: NoiseSchedule
  package let schedulerConfiguration: SchedulerConfiguration
  /// What the user said when it was opened.
  let hints: ModelHints
  /// Settings that this model works best with.
  public let defaults: ModelDefaults
  /// What the user should know about how the model was read.
  public let notes: [String]
  let files: any ModelFiles
  /// Its networks, one row for each folder of weights: text encoders, then the noise network, then the autoencoder.
  let components: [Component]
  /// What the rows of the text encoders are made of, in the same order.
  package let textEncoders: [TextEncoderPart]
  let unet: UNet
  package let autoencoder: any LatentAutoencoder
  /// What names and layers suggest of how it is sampled, without saying it.
  let suspicions: [Suspicion]
  /// The files that were laid over the model (`adapted(by:)`), with their factors.
  public let adapters: [String]

  /// One text encoder and its tokenizer.
  package struct TextEncoderPart: Sendable {
    /// `text_encoder_2`
    package let component: String
    package let encoder: TextEncoder
    package let tokenizer: LazyTokenizer
  }

  /// Opens what `files` has; the rest of the work is in `Model+Opening`.
  init(_ files: any ModelFiles, name: String, told: ModelHints = ModelHints()) throws {
    (self.files, self.name, notes, adapters, hints) = (files, name, files.notes, [], told)
    defaults = try ModelDefaults(files)
    suspicions = FewSteps(wordsOf: name).map { [Suspicion(of: name, .name($0))] } ?? []
    let parts = try Parts(files, told)
    (schedule, schedulerConfiguration) = (parts.schedule, parts.schedulerConfiguration)
    (textEncoders, unet, autoencoder) = (parts.textEncoders.map(\.part), parts.unet, parts.autoencoder)
    components = try parts.components()
  }

  /// `base` with other components, which have the networks of its own.
  ///
  /// - Parameters:
  ///   - adapters: files that were laid over it, all of them.
  ///   - scheduler: where its own does not hold any more.
  ///   - more: what is to be said, and what is suspected, beside what was already.
  init(
    _ base: Model, components: [Component], adapters: [String], scheduler: SchedulerConfiguration? = nil,
    more: (notes: [String], suspicions: [Suspicion]) = ([], [])
  ) {
    (name, schedule, defaults, files) = (base.name, base.schedule, base.defaults, base.files)
    (notes, suspicions) = (base.notes + more.notes, base.suspicions + more.suspicions)
    (schedulerConfiguration, hints) = (scheduler ?? base.schedulerConfiguration, base.hints)
    (textEncoders, unet, autoencoder) = (base.textEncoders, base.unet, base.autoencoder)
    (self.components, self.adapters) = (components, adapters)
  }

  /// The model with one more component; everything that is done with networks is done with its too.
  package func adding(_ component: Component) -> Model {
    Model(self, components: components + [component], adapters: adapters)
  }

  /// In what its networks compute attention, where they can.
  public var attention: AttentionArithmetic { components[0].attention }

  /// In what its networks keep pictures between their blocks, where they can.
  public var activations: ActivationPrecision { components[0].activations }

  /// The model with other arithmetic; nil leaves what it has.
  ///
  /// - Parameters:
  ///   - attention: in what networks compute it, where they can.
  ///   - activations: in what networks keep pictures between their blocks.
  public func computing(
    attention: AttentionArithmetic? = nil, activations: ActivationPrecision? = nil
  ) -> Model {
    Model(
      self, components: components.map { Component($0, attention: attention, activations: activations) },
      adapters: adapters)
  }

  /// What people call models of this kind.
  public var family: String {
    switch (textEncoders.count, unet.configuration.contextWidth) {
    case (2, _): "Stable Diffusion XL"
    case (_, 768): "Stable Diffusion 1"
    case (_, 1024): "Stable Diffusion 2"
    default: "Stable Diffusion, of another size"
    }
  }

  /// Pixels of the picture along one pixel of the latent.
  public var pixelsPerLatent: Int { autoencoder.pixelsPerLatent }

  /// Side, in pixels, of the square pictures that the model was trained on.
  public var nativeSize: Int { unet.configuration.sampleSize * pixelsPerLatent }

  /// Both sides of a working picture are multiples of this many pixels.
  public var sizeMultiple: Int { components.flatMap(\.networks).compactMap(\.sizeMultiple).max()! }

  /// Tokens of one context of a prompt, begin and end marks included.
  package var tokens: Int { textEncoders[0].encoder.configuration.tokens }

  /// Graphs that were built since the model was opened.
  package var builtGraphs: Int { components.reduce(0) { $0 + $1.graphs.builds } }

  /// Whether an error says that the model itself cannot be used.
  public static func isModelError(_ error: any Error) -> Bool {
    switch error {
    case EditError.unsupportedSchedule, EditError.unsupportedPrediction, EditError.unsupportedScheduler,
      EditError.unsupportedSampler:
      true
    case let error as any CarriesRefusal where error.refusal != nil: false
    default:
      error is WeightFileError || error is FileError || error is ConfigurationError || error is ModelError
        || error is LoRAError
        || error is TokenizerError
    }
  }
}

import Editing
import Pictures

/// What the model is to learn of one picture.
public struct LoRARequest: Sendable {
  public var picture: any PictureSource
  /// What the picture shows; for a drag, what its result shows.
  public var prompt: String
  /// How the prompt is read.
  public var promptSyntax = PromptSyntax.plain
  public var training = LoRATraining()
  /// Draw the latent from the autoencoder's posterior in every step, as the released script does; its mean otherwise.
  public var samplesPosterior = true
  /// At which size the networks work; nil: the model's native area.
  public var size: WorkingSize.Request?
  /// Of the noise; nil: 42.
  public var seed: UInt64?

  public init(_ picture: any PictureSource, prompt: String) {
    (self.picture, self.prompt) = (picture, prompt)
  }
}

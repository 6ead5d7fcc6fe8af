import Editing
import Tensors
import TestSupport
import Testing

@Suite("Adam") struct AdamTests {
  static let gradients: [[Float]] = [[0.5, 1e-3, 0], [-0.25, 1e-9, 0], [2, -1e-3, 1e-12]]

  private func values(_ values: [Float]) -> [String: HostTensor] {
    ["w": HostTensor(shape: [values.count], values: values)]
  }

  private func step(
    _ adam: inout Adam, _ theta: inout [String: HostTensor], _ gradient: [Float], loss: Double = 1
  ) throws {
    try adam.step(&theta, values(gradient), loss: loss, method: "pti", step: 4)
  }

  @Test("takes the steps of torch.optim.AdamW")
  func reference() throws {
    // Three steps of it in Double: lr 0.1, weight decay 0.01, everything else its default.
    let expected: [[Float]] = [
      [0.899000002, -2.0979990000099997, 0.4995],
      [0.8714672987058463, -2.1629059530443024, 0.4990005],
      [0.8035310672284472, -2.152156421484921, 0.49849780967623825],
    ]
    var (adam, theta) = (Adam(learningRate: 0.1, weightDecay: 0.01), values([1, -2, 0.5]))
    for (gradient, expected) in zip(Self.gradients, expected) {
      try step(&adam, &theta, gradient)
      // Three results below 4 rounded to Floats, and a state of Floats in steps of 0.1.
      let tolerance: Float = 3 * 0x1p-23
      for (found, expected) in zip(theta["w"]!.values, expected) {
        #expect(abs(found - expected) <= tolerance)
      }
    }
  }

  @Test(
    "a first step is the learning rate, against the gradient's sign, down to gradients of a thousand epsilons"
  )
  func firstStep() throws {
    var (adam, theta) = (Adam(learningRate: 0.01), values([0, 0, 0, 0]))
    try step(&adam, &theta, [3, -1e-5, 1e-8, 0])
    let moved = theta["w"]!.values
    #expect(abs(moved[0] + 0.01) < 1e-9 && abs(moved[1] - 0.01) < 0.01 * 1.1e-3)
    #expect(abs(moved[2] + 0.005) < 1e-8 && moved[3] == 0)  // half at g = ε
  }

  @Test("squares of gradients too small for a Float count in the step that they are taken in")
  func tinyGradients() throws {
    var (adam, theta) = (Adam(learningRate: 1), values([0]))
    try step(&adam, &theta, [1e-25])
    #expect(abs(theta["w"]!.values[0] + 1e-17) < 1e-22)  // −g/(|g| + ε)
  }

  @Test("without a gradient only the decay is left")
  func decay() throws {
    var (adam, theta) = (Adam(learningRate: 0.5, weightDecay: 0.25), values([8, -4]))
    try step(&adam, &theta, [0, 0])
    #expect(theta["w"]!.values == [7, -3.5])
  }

  @Test(
    "a loss or a gradient that is not finite is refused before anything is changed",
    arguments: [(1.0, Float.nan), (.nan, 1), (.infinity, 1), (1, -.infinity)])
  func guarding(loss: Double, gradient: Float) throws {
    var (adam, theta) = (Adam(learningRate: 0.1), values([1, 2]))
    try step(&adam, &theta, [1, 1])
    let before = (adam, theta)
    #expect(throws: EditError.gradientNotFinite(method: "pti", step: 4)) {
      try step(&adam, &theta, [1, gradient], loss: loss)
    }
    #expect(adam == before.0 && theta == before.1)
  }

  @Test("goes on from a journal's entry with the same bits")
  func journal() throws {
    var (whole, a) = (Adam(learningRate: 0.1, weightDecay: 0.01), values([1, -2, 0.5]))
    try step(&whole, &a, Self.gradients[0])
    var entry = JournalEntry()
    whole.write(to: &entry)
    var (resumed, b) = (Adam(learningRate: 0.1, weightDecay: 0.01), a)
    resumed.read(entry, names: ["w"])
    #expect(resumed == whole)
    for gradient in Self.gradients.dropFirst() {
      try step(&whole, &a, gradient)
      try step(&resumed, &b, gradient)
    }
    #expect(a == b && resumed == whole)
  }
}

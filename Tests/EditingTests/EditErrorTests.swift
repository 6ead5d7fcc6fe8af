import Editing
import Testing

@Suite("Edit errors") struct EditErrorTests {
  static let all: [EditError] = [
    .unsupportedSchedule("x"), .unsupportedPrediction("x"), .unsupportedScheduler(option: "x", value: "true"),
    .unsupportedSampler("x", reason: "y"), .guidanceNotHeard, .needsToldGuidance(method: "dds", known: ["x"]),
    .parameter(method: "dds", name: "x", value: "-1", allowed: "at least 0"),
    .gridTooFine(steps: 1000, limit: 999),
    .nothingToDo(method: "dds", reason: "x"), .missing(method: "dds", need: "x"),
    .conceptCount(method: "sega", settings: 2, conditions: 1), .maskSize(expected: [8, 9], found: [7, 6]),
    .maskValues,
    .noPoints, .pointOutside(index: 0, x: 5, y: -1, width: 4, height: 4),
    .noAttentionMaps(method: "ledits++"),
    .inversionDoesNotFit(reason: "x"), .inversionMade(with: "steps", made: "9", asked: "8"),
    .tapeEnded(draw: 3, count: 3),
    .tapeType(draw: 3, expected: "a tensor", found: "an integer"),
    .tapeShape(draw: 3, expected: [1, 4, 8, 8], found: [1, 4, 8, 16]),
    .tapeInteger(draw: 3, value: 1000, range: 0...999), .nonFinite(method: "dds", step: 7),
    .diverged(method: "dds", step: 7, limit: 1e4), .noPicture(method: "ledits", limit: 1e4),
    .gradientNotFinite(method: "pti", step: 7), .otherProgress(method: "pti"),
  ]

  @Test("every failure is one sentence with a next step after a colon", arguments: all)
  func sentence(error: EditError) {
    let text = error.description
    #expect(text.contains(": ") && !text.hasSuffix(".") && !text.contains("\n"))
  }

  @Test("a failure names what it is about")
  func names() {
    #expect(
      EditError.nonFinite(method: "ledits", step: 7).description
        == "ledits produced a value that is not finite at step 7: lower the guidance, or use the model at full "
        + "precision")
    #expect(EditError.maskSize(expected: [8, 9], found: [7, 6]).description.contains("7×6"))
  }
}

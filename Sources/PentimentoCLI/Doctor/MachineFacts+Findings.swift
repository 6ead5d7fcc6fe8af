import FoundationEssentials
import Pentimento

extension MachineFacts {
  /// In the order in which they are read.
  var findings: [Finding] {
    [processorFinding, coresFinding, memoryFinding] + libraries.map(\.finding) + [cacheFinding]
  }

  private var processorFinding: Finding {
    let best = processor.instructionSets.last ?? processor.chosen
    let others = processor.instructionSets.filter { $0 != processor.chosen }
    let also = others.isEmpty ? "" : " (also here: \(others.joined(separator: ", ")))"
    let words =
      "\(processor.name ?? "of unknown name"), \(processor.architecture): kernels \(processor.chosen)\(also)"
    if processor.chosen != best {
      return .warning(
        "processor", words, "\(best) is faster and runs here: leave --isa out and unset PENTIMENTO_ISA")
    }
    if best == "scalar" {
      return .warning(
        "processor", words, "there are no faster ones for this processor: an edit takes many times as long")
    }
    return .ok("processor", words)
  }

  private var coresFinding: Finding {
    let threads = "\(cores.threads) \(cores.threads == 1 ? "thread" : "threads")"
    guard let quota = cores.quota, quota < Double(cores.allowed) else {
      return .ok("cores", "\(cores.allowed), and as many threads")
    }
    let granted =
      "\(cores.allowed), of which control groups grant the time of \(quota.rounded(to: 2)): \(threads)"
    return quota < 1
      ? .warning("cores", granted, "edits are slow: raise the limit of the group (cpu.max, --cpus)")
      : .ok("cores", granted)
  }

  /// Of all budgets that were measured with Stable Diffusion 1.5 at 512×512 the least that it could be planned in.
  private static let leastOfStableDiffusion = 105_000_000

  private var memoryFinding: Finding {
    func mb(_ bytes: Int?) -> String { bytes.map { "\($0.megabytesDown) MB" } ?? "an unknown amount" }
    var parts = ["\(mb(memory.available)) of \(mb(memory.physical)) are free"]
    if let group = memory.controlGroup { parts.append("control groups leave \(mb(group))") }
    if let space = memory.addressSpace { parts.append("ulimit -v allows \(mb(space))") }
    let why = parts.joined(separator: ", ")
    guard let reachable = memory.reachable else {
      return .warning("memory", "the system does not say what can be had", "give --max-ram with every edit")
    }
    let words = "an edit may hold \(mb(reachable)): \(why)"
    guard reachable < Self.leastOfStableDiffusion else { return .ok("memory", words) }
    let remedy =
      switch memory.limit {
      case "controlGroup": "raise the limit of the group"
      case "addressSpace": "raise ulimit -v"
      default: "end other programs"
      }
    return .warning(
      "memory", words,
      "Stable Diffusion 1.5 at 512×512 needs \(mb(Self.leastOfStableDiffusion)) at least: \(remedy), or use smaller "
        + "models and sizes")
  }

  private var cacheFinding: Finding {
    guard let path = cache.path else {
      return .warning(
        "cache", "there is no folder for it, so every run verifies containers and measures speeds again",
        "set XDG_CACHE_HOME or HOME to a folder")
    }
    return cache.isWritable
      ? .ok("cache", path)
      : .warning(
        "cache", "\(path) cannot be written, so every run verifies containers and measures speeds again",
        "make it writable, or set XDG_CACHE_HOME to a folder that is")
  }
}

extension PictureLibrary {
  fileprivate var finding: Finding {
    switch state {
    case .found:
      // The file behind the links has the version in its name.
      let file = path.map { ", \(URL(fileURLWithPath: $0).resolvingSymlinksInPath().path)" } ?? ""
      return .ok(name, (version ?? "found") + file)
    case .missing:
      return .warning(
        name, "not found: JPEG can be neither read nor written",
        "install it (Debian: apt-get install libturbojpeg0), or use PNG")
    case .refused:
      return .warning(
        name, "the system has no memory for it: JPEG can be neither read nor written",
        "raise the limit on memory (ulimit -v)")
    }
  }
}

extension MachineSpeed {
  var finding: Finding {
    let read = bytesPerSecond / 1e6
    let words =
      "the model's weights are read with \(Int(read.rounded())) MB/s, and computed with "
      + "\((multiplyAddsPerSecond / 1e9).rounded(to: 1)) GMAC/s"
    // Below what cards for boards promise.
    let slow = 20.0
    return read >= slow
      ? .ok("storage", words)
      : .warning(
        "storage", words,
        "where weights do not fit into memory this decides how long an edit takes: use a faster card")
  }
}

extension Double {
  /// Seconds as people say them.
  var inWords: String {
    self < 120 ? "\(Swift.max(1, Int(rounded()))) s" : "\(Int((self / 60).rounded())) min"
  }
}

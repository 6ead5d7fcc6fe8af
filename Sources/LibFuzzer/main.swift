import Dispatch
import Fuzzing
import Platform

// The readers for libFuzzer, which finds new ways through the code by itself. Built where PENTIMENTO_LIBFUZZER=1:
//
//     Tools/fuzz --libfuzzer READER [SECONDS]

/// The reader that the environment names, and what its other files are.
private let target: any FuzzTarget = {
  let name = getenv("READER").map { String(cString: $0) } ?? "safetensors"
  let fixtures = getenv("FIXTURES").map { String(cString: $0) } ?? "Tests/Fixtures"
  guard let reader = FuzzReader(rawValue: name), let target = try? reader.target(fixtures: fixtures) else {
    fatalError("READER=\(name) FIXTURES=\(fixtures)")
  }
  return target
}()

private let folder = getenv("WORK").map { String(cString: $0) } ?? "/tmp"

/// One input: the first byte chooses which part of a sound input the rest replaces.
private func test(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  guard count > 1 else { return -1 }
  var parts = target.seeds[0]
  parts[Int(bytes[0]) % parts.count] = Array(UnsafeBufferPointer(start: bytes + 1, count: count - 1))
  let input = parts
  let done = DispatchSemaphore(value: 0)
  Task {
    do { try await target.read(input, in: folder) } catch let error as Broken { fatalError("\(error)") } catch
    {}
    done.signal()
  }
  done.wait()
  return 0
}

@_silgen_name("LLVMFuzzerRunDriver") private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ test: @convention(c) (UnsafePointer<UInt8>, Int) -> CInt
) -> CInt

// Sound files to begin with.
if let corpus = getenv("CORPUS").map({ String(cString: $0) }) {
  for (i, seed) in target.seeds.enumerated() {
    for (j, part) in seed.enumerated() {
      guard let file = fopen("\(corpus)/seed-\(i)-\(j)", "wb") else { continue }
      fwrite([UInt8(j)] + part, 1, part.count + 1, file)
      fclose(file)
    }
  }
}

private var count = CommandLine.argc
private var arguments = CommandLine.unsafeArgv
exit(runDriver(&count, &arguments, test))

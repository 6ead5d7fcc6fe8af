import Platform
import Testing

@Suite("What the system refuses") struct SystemRefusalTests {
  private struct Wrapped: CarriesRefusal {
    var refusal: SystemRefusal?
  }

  @Test("is found in the error that carries it") func carried() {
    let refusal = SystemRefusal.thread(code: EAGAIN)
    #expect(SystemRefusal(in: refusal) == refusal)
    #expect(SystemRefusal(in: Wrapped(refusal: refusal)) == refusal)
    #expect(SystemRefusal(in: Wrapped()) == nil)
    #expect(SystemRefusal(in: CancellationError()) == nil)
  }

  @Test("are open files, where the process or the system has too many") func openFiles() {
    #expect(SystemRefusal(openFiles: EMFILE) == .openFiles(code: EMFILE))
    #expect(SystemRefusal(openFiles: ENFILE) == .openFiles(code: ENFILE))
    #expect(SystemRefusal(openFiles: EACCES) == nil)
  }
}

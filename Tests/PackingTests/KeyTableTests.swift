import Testing

@Suite("Key table") struct KeyTableTests {}

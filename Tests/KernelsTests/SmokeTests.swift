import Kernels
import Tensors
import Testing

@Suite("smoke") struct Smoke {
  @Test func runs() {
    let pool = ThreadPool(threads: 2)
    func make(_ s: [Int], _ l: Layout = .plain) -> TensorRef {
      let t = TensorType(s, layout: l)
      let p = UnsafeMutableRawPointer.allocate(byteCount: t.byteCount, alignment: 64)
      let f = p.assumingMemoryBound(to: Float.self)
      for i in 0..<t.byteCount / 4 { f[i] = Float((i * 7919) % 201 - 100) / 100 }
      return TensorRef(t, at: p)
    }
    func dump(_ t: TensorRef) { print(t.type.shape, (0..<6).map { t.address.assumingMemoryBound(to: Float.self)[$0] }) }
    let q = make([300, 80]), k = make([300, 80]), o = make([300, 80]), l = make([2, 300]), d = make([300, 80])
    let s = UnsafeMutableRawPointer.allocate(byteCount: 100_000_000, alignment: 64)
    attention(q, k: k, v: k, heads: 2, causal: true, into: o, logSum: l, scratch: s, pool)
    dump(o)
    attentionDQ(q, k: k, v: k, o: o, logSum: l, dO: q, heads: 2, causal: true, into: d, scratch: s, pool)
    dump(d)
    let w = make([33, 80], .panels), y = make([300, 33])
    linear(q, weight: w, bias: nil, into: y, scratch: s, pool)
    dump(y)
    let im = make([10, 30, 16]), im2 = make([10, 30, 20]), cw = make([20, 3, 3, 16], .panels)
    let g = ConvolutionGeometry(padding: 1)
    convolution(im, weight: cw, bias: nil, g, into: im2, scratch: s, pool)
    dump(im2)
    convolutionDX(im2, weight: cw, g, into: im, scratch: s, pool)
    dump(im)
  }
}

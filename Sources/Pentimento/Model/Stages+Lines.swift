import NeuralGraph
import Runtime

extension Stages {
  /// A network whose pictures may be computed line by line: with all of them kept where that fits, else with as few
  /// computed again as the budget allows.
  ///
  /// - Throws: `PlanError.overBudget` with the least that would do.
  func planByLines(
    _ network: any Network, of component: Component, _ size: NetworkSize?, keeping kept: KeptValues,
    _ planner: Planner
  ) throws -> (graph: NetworkGraph, plan: Plan) {
    var least = Int.max
    func attempt(_ limits: LineLimits?) throws -> (graph: NetworkGraph, plan: Plan)? {
      let defined = try component.defined(network, size, keeping: kept, recomputing: [], within: limits)
      do {
        let plan = try planner.plan(defined.graph, keep: defined.outputs)
        let graph = try component.graph(of: network, size, keeping: kept, within: limits, known: defined)
        // The graph of the cache may be another with the same values.
        return try (
          graph, graph.outputs == defined.outputs ? plan : planner.plan(graph.graph, keep: graph.outputs)
        )
      } catch PlanError.overBudget(let needed, _) {
        least = min(least, needed)
        return nil
      }
    }
    if let whole = try attempt(nil) { return whole }
    let whole = try component.defined(network, size, keeping: kept, recomputing: [])
    let sizes = Set(whole.graph.nodes.flatMap(\.outputs).map { whole.graph.type($0).byteCount })
      .filter { $0 >= Self.leastLines }.sorted(by: >)
    for between in [.max] + sizes {
      let insides = sizes.filter { $0 <= between }
      guard let tightest = insides.last,
        let fits = try attempt(LineLimits(inside: tightest - 1, between: between - 1))
      else { continue }
      for inside in insides.dropLast() {
        if let wider = try attempt(LineLimits(inside: inside - 1, between: between - 1)) { return wider }
      }
      return fits
    }
    throw PlanError.overBudget(needed: least, budget: planner.budget ?? .max)
  }

  /// Bytes of a picture that is not worth computing twice.
  private static let leastLines = 1 << 20
}

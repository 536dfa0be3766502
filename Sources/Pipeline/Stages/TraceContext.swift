package import ActorBus

/// What a message carries of the trace it belongs to, in the headers of W3C Trace Context and W3C Baggage.
package struct TraceContext: Sendable, Equatable {
    package let parent: TraceParent
    /// What tracing systems add to the trace; nil where they add nothing.
    package let state: TraceState?
    /// What the application lets travel along; it does not need a trace.
    package let baggage: Baggage?

    private let world: World

    /// A new trace, unless one is given. `world` is where the numbers of traces and spans are drawn.
    package init(
        parent: TraceParent? = nil, state: TraceState? = nil, baggage: Baggage? = nil, in world: World = .real
    ) {
        self.world = world
        self.parent = parent ?? TraceParent(in: world)
        self.state = state
        self.baggage = baggage
    }

    /// What a message's headers say. Where they name no trace it is a new one, of which a `tracestate` says nothing.
    package init(headers: FieldTable, in world: World = .real) {
        let parent = headers[EventHeader.traceParent]?.text.flatMap { TraceParent($0) }
        self.init(
            parent: parent,
            state: parent == nil ? nil : headers[EventHeader.traceState]?.text.flatMap { TraceState($0) },
            baggage: headers[EventHeader.baggage]?.text.flatMap { Baggage($0) }, in: world)
    }

    package static func == (left: TraceContext, right: TraceContext) -> Bool {
        (left.parent, left.state, left.baggage) == (right.parent, right.state, right.baggage)
    }

    /// The headers of the next hop, which has a span of its own.
    package var nextHeaders: FieldTable {
        var headers: FieldTable = [EventHeader.traceParent: .string(parent.child(in: world).text)]
        if let state { headers[EventHeader.traceState] = .string(state.text) }
        if let baggage { headers[EventHeader.baggage] = .string(baggage.text) }
        return headers
    }
}

/// Where the metrics of a service come from that the flow is made of.
package struct FlowSource: Sendable {
    private enum Place: Sendable {
        case page(HTTPGet)
        case registry(PrometheusRegistry)
    }

    /// What the service is called as long as it does not say so itself.
    package let name: String
    private let place: Place

    /// A service that shows its metrics on a page.
    package init(name: String, page: HTTPGet) {
        self.name = name
        place = .page(page)
    }

    /// A service of this process.
    package init(_ context: ServiceContext) {
        name = context.kind.rawValue
        place = .registry(context.registry)
    }

    /// The metrics now, in the Prometheus text format; throws in words why there are none.
    func metrics() async throws -> String {
        switch place {
        case .registry(let registry):
            return String(decoding: registry.exposition(), as: UTF8.self)
        case .page(let page):
            let response = try await page.response(within: .seconds(2))
            guard response.status == 200 else {
                throw HTTPGet.Failure("it answers with the status \(response.status)")
            }
            return response.text
        }
    }
}

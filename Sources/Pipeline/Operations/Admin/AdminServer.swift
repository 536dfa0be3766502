import HTTPTypes
import HummingbirdCore
package import Logging

/// Serves a service's metrics and health over HTTP/1.1.
///
/// - `GET /metrics`: the metrics in the Prometheus text format.
/// - `GET /livez`: 200 while the process works, whatever the broker does.
/// - `GET /readyz`: 200 while the service can do its work, else 503 with a line of why.
///
/// `init` binds, so a port that cannot be had is known before any work begins; `run()` serves until it is cancelled.
/// What one client can cost is bounded as `HTTPServer` says.
package final class AdminServer: Sendable {
    private static let subject = "metrics and health"

    /// The port that is listened on, also where 0 was asked for.
    package var port: UInt16 { server.port }
    /// Address and port.
    package var endpoint: String { server.endpoint }

    private let server: HTTPServer

    /// Binds the address.
    ///
    /// - Parameters:
    ///   - address: an address of this machine; `*` for all of them, `localhost` for loopback, each of both families.
    ///   - port: 0 for any that is free.
    ///   - registry: what `/metrics` shows.
    ///   - readiness: what `/readyz` says; called for every such request, on any thread, must not block.
    ///   - answerTime: how long a client may take to read its answer, for tests.
    /// - Throws: when the address cannot be bound, with the reason and a remedy.
    package init(
        address: String,
        port: UInt16,
        registry: PrometheusRegistry,
        readiness: @escaping @Sendable () -> Readiness,
        logger: Logger,
        answerTime: Duration? = nil
    ) throws(HTTPServerError) {
        server = try HTTPServer(
            Self.subject, address: address, port: port, logger: logger, answerTime: answerTime
        ) { request in
            Self.answer(to: request, registry, readiness)
        }
    }

    /// Throws as `init` does when the address cannot be bound now; nothing stays bound.
    package static func checkFree(address: String, port: UInt16) throws(HTTPServerError) {
        try HTTPServer.checkFree(subject, address: address, port: port)
    }

    /// Serves until the task is cancelled; returns then, within moments, with the port free again.
    ///
    /// To be called once. Throws only if the system takes the listening socket away.
    package func run() async throws(HTTPServerError) {
        try await server.run()
    }

    private static func answer(
        to request: Request, _ registry: PrometheusRegistry, _ readiness: () -> Readiness
    ) -> HTTPAnswer {
        let path = request.uri.path
        guard ["/metrics", "/livez", "/readyz"].contains(path) else {
            return HTTPAnswer(.notFound, "nothing here: try /metrics, /livez or /readyz")
        }
        if let refusal = HTTPAnswer.refusal(of: request.method) { return refusal }
        switch path {
        case "/metrics":
            return HTTPAnswer(.ok, type: PrometheusRegistry.contentType, body: registry.exposition())
        case "/livez":
            return HTTPAnswer(.ok, "ok")
        default:
            switch readiness() {
            case .ready: return HTTPAnswer(.ok, "ok")
            case .notReady(let reason): return HTTPAnswer(.serviceUnavailable, reason)
            }
        }
    }
}

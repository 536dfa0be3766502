import HTTPTypes
import HummingbirdCore

/// What a browser is answered: the page, which is one file, and the stream of states that it shows.
enum DashboardPage {
    static let subject = "the dashboard"
    /// Never another: the page shows customers, and asks nobody who they are.
    static let address = "127.0.0.1"

    private static let page = Array(PackageResources.dashboard_html)
    /// Stands in the page wherever the nonce of an answer is to stand.
    private static let placeholder = "NONCE"

    /// - Parameter state: the event that a viewer begins with.
    static func answer(to request: Request, _ viewers: DashboardViewers, state: () -> [UInt8]) -> HTTPAnswer {
        if let refusal = LoopbackRequest.refusal(of: request) { return secured(refusal) }
        let path = request.uri.path
        guard path == "/" || path == "/events" else { return secured(HTTPAnswer(.notFound, "nothing here: try /")) }
        if let refusal = HTTPAnswer.refusal(of: request.method) { return secured(refusal) }
        if path == "/" { return whole() }
        if let refusal = LoopbackRequest.refusalOfStrangers(request) { return secured(refusal) }
        do throws(DashboardViewers.Refusal) {
            let stream = try viewers.add()
            stream.send(state())
            return secured(HTTPAnswer(type: "text/event-stream", stream: stream))
        } catch {
            switch error {
            case .full:
                let words = "\(Dashboard.places) pages watch already: close one of them"
                return secured(HTTPAnswer(.serviceUnavailable, words))
            case .ended: return secured(HTTPAnswer(.serviceUnavailable, "the run is coming to its end"))
            }
        }
    }

    private static func whole() -> HTTPAnswer {
        // Only the page's own script and style carry this answer's number; whatever else finds its way in is not run.
        let nonce = (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 16) }.joined()
        let body = Array(String(decoding: page, as: UTF8.self).replacing(placeholder, with: nonce).utf8)
        return secured(
            HTTPAnswer(.ok, type: "text/html; charset=utf-8", body: body),
            policy: "script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; img-src data:; connect-src 'self'; ")
    }

    /// No page of others may show, read or include it.
    private static func secured(_ answer: HTTPAnswer, policy: String = "") -> HTTPAnswer {
        var answer = answer
        answer.fields[.contentSecurityPolicy] =
            "default-src 'none'; \(policy)base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        answer.fields[.xContentTypeOptions] = "nosniff"
        answer.fields[.crossOriginResourcePolicy] = "same-origin"
        answer.fields[.referrerPolicy] = "no-referrer"
        return answer
    }
}

extension HTTPField.Name {
    fileprivate static let crossOriginResourcePolicy = HTTPField.Name("Cross-Origin-Resource-Policy")!
    fileprivate static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
}

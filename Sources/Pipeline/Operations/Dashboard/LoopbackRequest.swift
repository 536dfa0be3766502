import HTTPTypes
import HummingbirdCore

/// Whether a request that came over loopback is meant for a page of this machine.
///
/// A browser that shows a stranger's page can be made to ask 127.0.0.1 too: under a name of the stranger's that was
/// made to resolve there, which the `Host` tells, or out of the stranger's page, which `Sec-Fetch-Site` tells.
enum LoopbackRequest {
    private static let names: Set<String> = ["localhost", "127.0.0.1", "[::1]"]

    /// Nil where it is; else what to say to it.
    static func refusal(of request: Request) -> HTTPAnswer? {
        guard let host = request.head.authority, isLoopback(host) else {
            return HTTPAnswer(.misdirectedRequest, "this page answers to localhost and 127.0.0.1 only")
        }
        return nil
    }

    /// Nil where the page itself, or a person, asks.
    static func refusalOfStrangers(_ request: Request) -> HTTPAnswer? {
        guard let site = request.headers[.secFetchSite], site != "same-origin", site != "none" else { return nil }
        return HTTPAnswer(.forbidden, "only the dashboard's own page may ask this")
    }

    /// With any port: the page may be reached through a tunnel.
    static func isLoopback(_ host: String) -> Bool {
        let host = host.lowercased()
        if names.contains(host) { return true }
        guard let colon = host.lastIndex(of: ":"), names.contains(String(host[..<colon])) else { return false }
        let port = host[host.index(after: colon)...]
        return !port.isEmpty && port.utf8.allSatisfy { (48...57).contains($0) }
    }
}

extension HTTPField.Name {
    fileprivate static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")!
}

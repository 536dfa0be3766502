/// Server-sent events, as the HTML standard has them (section 9.2).
enum DashboardEvent {
    /// The run is over.
    static let end = Array("event: end\ndata:\n\n".utf8)

    /// A state's JSON has no line breaks, so it is one line of data.
    static func state(_ json: [UInt8]) -> [UInt8] {
        var event = Array("data: ".utf8)
        event.reserveCapacity(json.count + 8)
        event += json
        event += "\n\n".utf8
        return event
    }
}

internal import ActorBus

/// One direction of a stream: bytes under way, and bytes that have arrived and are not read. It holds no more than its
/// window.
final class Pipe {
    private struct Piece {
        let bytes: ArraySlice<UInt8>
        let arrival: Instant
    }

    private var underWay: [Piece] = []
    private(set) var arrived: [UInt8] = []
    private var bytesUnderWay = 0
    /// When the last piece arrives: none overtakes another.
    private var lastArrival = Instant(nanoseconds: 0)
    /// How many bytes were ever put in.
    private(set) var total = 0
    /// Whether nothing more comes, and from when that is known at the other end.
    private var end: Instant?
    let window: Int

    init(window: Int) { self.window = window }

    var room: Int { max(0, window - bytesUnderWay - arrived.count) }

    /// Puts bytes in, and returns when they arrive.
    func put(_ bytes: ArraySlice<UInt8>, arrivingAt moment: Instant) -> Instant {
        lastArrival = max(lastArrival, moment)
        underWay.append(Piece(bytes: bytes, arrival: lastArrival))
        bytesUnderWay += bytes.count
        total += bytes.count
        return lastArrival
    }

    /// Ends the direction behind all that was put in; returns when that arrives.
    func finish(arrivingAt moment: Instant) -> Instant {
        lastArrival = max(lastArrival, moment)
        if end == nil { end = lastArrival }
        return lastArrival
    }

    /// Moves what has arrived.
    func passTime(to now: Instant) {
        guard let next = underWay.first, next.arrival <= now else { return }
        var count = 0
        for piece in underWay {
            guard piece.arrival <= now else { break }
            arrived += piece.bytes
            bytesUnderWay -= piece.bytes.count
            count += 1
        }
        underWay.removeFirst(count)
    }

    /// Takes the first of what has arrived.
    func take(_ count: Int) -> ArraySlice<UInt8> {
        if count == arrived.count {
            defer { arrived = [] }
            return arrived[...]
        }
        let taken = Array(arrived[..<count])
        arrived.removeFirst(count)
        return taken[...]
    }

    /// Whether all that was put in has been taken, and nothing more comes.
    func isOver(at now: Instant) -> Bool {
        arrived.isEmpty && underWay.isEmpty && end.map { $0 <= now } == true
    }
}

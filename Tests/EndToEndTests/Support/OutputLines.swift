import Foundation
import Glibc

/// What a child process writes to one descriptor, line by line, as it comes.
final class OutputLines: Sendable {
    private struct State {
        var lines: [String] = []
        var isOver = false
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter = 0
    }

    private let state = Lock(State())

    /// Reads on a thread of its own until every writer has closed its end, and closes the descriptor.
    init(reading descriptor: Int32) {
        Thread.detachNewThread { [self] in
            var rest: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                rest += chunk[..<count]
                let parts = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                add(parts.dropLast().map { String(decoding: $0, as: UTF8.self) })
                rest = Array(parts.last ?? [])
            }
            close(descriptor)
            if !rest.isEmpty { add([String(decoding: rest, as: UTF8.self)]) }
            over()
        }
    }

    var lines: [String] { state.withLock { $0.lines } }
    var text: String { lines.joined(separator: "\n") }

    /// The first line from the given one on that is so, now or later; nil when the output ends without it.
    func first(from start: Int = 0, where isIt: @Sendable (String) -> Bool) async -> String? {
        var seen = start
        while !Task.isCancelled {
            let (new, isOver) = state.withLock { (Array($0.lines.dropFirst(seen)), $0.isOver) }
            if let line = new.first(where: isIt) { return line }
            if isOver { return nil }
            seen += new.count
            await change(after: seen)
        }
        return nil
    }

    /// Returns when every writer has closed its end.
    func end() async {
        while !Task.isCancelled {
            let (count, isOver) = state.withLock { ($0.lines.count, $0.isOver) }
            if isOver { return }
            await change(after: count)
        }
    }

    private func change(after seen: Int) async {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    if state.lines.count > seen || state.isOver || Task.isCancelled { return true }
                    state.waiters[number] = continuation
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }

    private func add(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        wake { $0.lines += lines }
    }

    private func over() { wake { $0.isOver = true } }

    private func wake(_ change: (inout State) -> Void) {
        let waiters = state.withLock { state in
            change(&state)
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }
}

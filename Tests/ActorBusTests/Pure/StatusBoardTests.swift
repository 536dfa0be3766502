import Testing

@testable import ActorBus

@Suite(.timeLimit(.minutes(5))) struct StatusBoardTests {
    @Test func aWatcherSeesTheStatusNowAndEveryChange() async throws {
        let board = StatusBoard()
        var updates = board.updates().makeAsyncIterator()
        #expect(await updates.next()?.state == .connecting)
        board.update { $0.state = .open }
        board.update { $0.state = .open }
        board.update { $0.recoveries = 1 }
        #expect(await updates.next()?.state == .open)
        #expect(await updates.next()?.recoveries == 1)
        board.finish()
        #expect(await updates.next() == nil)
    }

    @Test func aSlowWatcherLosesTheOldestNews() async {
        let board = StatusBoard()
        let updates = board.updates()
        for number in 1...1_000 { board.update { $0.recoveries = UInt64(number) } }
        board.finish()
        var seen: [UInt64] = []
        for await status in updates { seen.append(status.recoveries) }
        #expect(seen.count <= 32)
        #expect(seen.last == 1_000)
    }

    /// A watcher that comes while the status changes must not be left with an older one than the last.
    @Test func aWatcherThatComesDuringAChangeEndsUpWithTheNewest() async throws {
        for _ in 0..<3_000 {
            let board = StatusBoard()
            async let change: Void = Task.detached { board.update { $0.state = .open } }.value
            let updates = await Task.detached { board.updates() }.value
            await change
            board.finish()
            var last: ConnectionStatus?
            for await status in updates { last = status }
            try #require(last?.state == .open)
        }
    }

    /// A watcher is told of news, and of its cancellation, at the same time; neither may wait for the other.
    @Test func newsAndCancellationDoNotWaitForEachOther() async throws {
        let board = StatusBoard()
        let news = Task.detached {
            var number: UInt64 = 0
            while !Task.isCancelled {
                number += 1
                board.update { $0.recoveries = number }
                // Lets watchers fall asleep.
                for _ in 0..<number % 8 { await Task.yield() }
            }
        }
        try await within(.seconds(60), "the end of 4,000 watchers") {
            for round in 0..<4_000 {
                await withTaskGroup { group in
                    group.addTask { for await _ in board.updates() {} }
                    for _ in 0..<round % 8 { await Task.yield() }
                    group.cancelAll()
                }
            }
        }
        news.cancel()
        await news.value
    }

    @Test func aBoardThatIsFinishedTellsLateComersTheLastStatusAndEnds() async throws {
        let board = StatusBoard()
        board.update { $0.state = .closed }
        board.finish()
        let updates = board.updates()
        let seen = try await within(.seconds(5), "the end of the updates") {
            var seen: [ConnectionStatus.State] = []
            for await status in updates { seen.append(status.state) }
            return seen
        }
        #expect(seen == [.closed])
    }
}

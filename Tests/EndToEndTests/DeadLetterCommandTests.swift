import ActorBus
import Foundation
import Glibc
import LocalBroker
import Testing

extension EndToEnd {
    /// What an operator does with dead letters: nothing is lost, whatever happens meanwhile.
    @Suite struct DeadLetterCommandTests {
        private static let queue = "payment_processor_queue"
        private static let letters = "payment_processor_queue.dlq"

        private struct Line: Decodable {
            let queue: String
            let error: String?
            let reason: String?
            let correlationId: String?
            let body: String?
            let matched: Int?
            let replayed: Int?
            let deleted: Int?
            let left: Int?
            let dryRun: Bool?
        }

        private func lines(_ process: ChildProcess) throws -> [Line] {
            try process.output.lines.map {
                try JSONDecoder.ofSnakes.decode(Line.self, from: Data($0.utf8))
            }
        }

        /// A letter as a service writes it, an hour old.
        private func letter(_ number: Int, error: String, failed: String) -> Message {
            Message(
                text: #"{"order_id":\#(number)}"#,
                properties: MessageProperties(
                    contentType: "application/json",
                    headers: [
                        "note": "kept", "x-reason": .string("reason \(number)"), "x-error": .string(error),
                        "x-attempts": 6, "x-original-exchange": "orders",
                        "x-original-queue": .string(Self.queue),
                        "x-first-failed-at": .string(failed),
                    ], correlationID: "shop-\(number)", messageID: "shop-\(number)/order", type: "order",
                    appID: "order-generator"))
        }

        private func withLetters(
            _ count: Int, type: String = "classic", _ body: (Scene, VirtualHost) async throws -> Void
        ) async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (exit, process) = try await scene.run(
                    ["topology", "declare", "--queue-type", type], on: host)
                #expect(exit.code == 0, "\(process.report)")
                let now = ISO8601DateFormatter().string(from: Date())
                try await host.publish(
                    (1...count).map {
                        letter(
                            $0, error: $0.isMultiple(of: 3) ? "exhausted" : "malformed",
                            failed: $0 <= 2 ? "2026-01-07T10:30:00Z" : now)
                    }, to: "", routingKey: Self.letters)
                try await body(scene, host)
            }
        }

        @Test(.timeLimit(.minutes(2))) func lettersAreListedAndStay() async throws {
            try await withLetters(6) { scene, host in
                for (filter, numbers) in [
                    ([], [1, 2, 3, 4, 5, 6]), (["--error", "exhausted"], [3, 6]),
                    (["--reason", "REASON 4"], [4]),
                    (["--order", "shop-5"], [5]), (["--order", "5"], [5]), (["--older-than", "1h"], [1, 2]),
                    (["--newer-than", "1h"], [3, 4, 5, 6]), (["--limit", "2"], [1, 2]),
                    (["--queue", Self.queue, "--error", "malformed"], [1, 2, 4, 5]),
                    (["--queue", "fulfillment_processor_queue"], []),
                ] as [([String], [Int])] {
                    let (exit, process) = try await scene.run(["dlq", "list", "--json"] + filter, on: host)
                    #expect(exit.code == 0, "\(process.report)")
                    let found = try lines(process)
                    #expect(found.map(\.correlationId) == numbers.map { "shop-\($0)" }, "\(filter)")
                    #expect(found.allSatisfy { $0.queue == Self.queue && $0.body == nil })
                }
                let (_, table) = try await scene.run(["dlq", "list"], on: host)
                #expect(table.output.lines.count == 7)
                #expect(
                    table.output.lines[1].contains("malformed") && table.output.lines[1].contains("reason 1"))
                let (_, peek) = try await scene.run(
                    ["dlq", "peek", "--json", "--order", "shop-2"], on: host)
                #expect(try lines(peek).map(\.body) == [#"{"order_id":2}"#])
                let (_, text) = try await scene.run(["dlq", "peek", "--limit", "1"], on: host)
                for words in ["x-attempts: 6", "note: kept", #"{"order_id":1}"#] {
                    #expect(text.output.text.contains(words), "\(text.report)")
                }
                // All of it is still there, in its order.
                let left = try await host.take(from: Self.letters)
                #expect(left.map { $0.properties.correlationID } == (1...6).map { "shop-\($0)" })
                #expect(left[0].properties.headers["x-attempts"] == 6)
            }
        }

        /// A quorum queue destroys what was returned too often, from RabbitMQ 4.0 on by default and here by a policy.
        @Test(.timeLimit(.minutes(3)), arguments: ["classic", "quorum"])
        func lookingLosesNothingHoweverOften(type: String) async throws {
            try await withLetters(6, type: type) { scene, host in
                if type == "quorum" {
                    try await host.broker.rabbitmqctl([
                        "set_policy", "-p", host.name, "limit", "dlq$", #"{"delivery-limit":1}"#, "--apply-to",
                        "queues",
                    ])
                }
                for look in [
                    ["list"], ["peek"], ["list", "--limit", "2"], ["peek", "--order", "3"],
                    ["list", "--error", "exhausted"], ["replay", "--dry-run"], ["replay", "--order", "none"],
                    ["purge", "--yes", "--order", "none"],
                ] {
                    let (exit, process) = try await scene.run(["dlq"] + look, on: host)
                    #expect(exit.code == 0, "\(process.report)")
                }
                let letters = try await host.take(from: Self.letters)
                #expect(letters.map { $0.properties.correlationID } == (1...6).map { "shop-\($0)" })
                for letter in letters {
                    #expect(!letter.redelivered)
                    #expect(
                        Set(letter.properties.headers.keys) == [
                            "note", "x-reason", "x-error", "x-attempts", "x-original-exchange", "x-original-queue",
                            "x-first-failed-at",
                        ])
                }
            }
        }

        /// Many more than the acknowledgments that RabbitMQ passes on to a quorum queue at a time.
        @Test(.timeLimit(.minutes(3)), arguments: ["classic", "quorum"])
        func manyLettersAreEachThereOnce(type: String) async throws {
            try await withLetters(400, type: type) { scene, host in
                for look in [["list", "--json"], ["list", "--limit", "3"]] {
                    let (exit, process) = try await scene.run(["dlq"] + look, on: host)
                    #expect(exit.code == 0, "\(process.report)")
                }
                let (exit, replay) = try await scene.run(["dlq", "replay", "--json", "--queue", Self.queue], on: host)
                #expect(exit.code == 0, "\(replay.report)")
                #expect(try lines(replay).map(\.replayed) == [400])
                #expect(try lines(replay).map(\.left) == [0])
                let replayed = try await host.take(from: Self.queue).map { $0.properties.correlationID }
                #expect(replayed.count == 400 && Set(replayed).count == 400)
                #expect(try await host.take(from: Self.letters).isEmpty)
            }
        }

        /// A broker in an alarm takes no copies, so no letter is taken.
        @Test(.timeLimit(.minutes(2))) func inAnAlarmLettersAreLeftAlone() async throws {
            let broker = try await LocalBroker.start()
            try await withScene { scene in
                let host = VirtualHost(of: broker)
                let (declared, process) = try await scene.run(
                    ["topology", "declare", "--queue-type", "quorum"], on: host)
                #expect(declared.code == 0, "\(process.report)")
                try await host.publish(
                    (1...3).map { letter($0, error: "malformed", failed: "2026-01-07T10:30:00Z") }, to: "",
                    routingKey: Self.letters)
                try await broker.rabbitmqctl(["set_disk_free_limit", "100000GB"])
                for command in [["list"], ["replay", "--queue", Self.queue]] {
                    let (exit, process) = try await scene.run(["dlq"] + command, on: host)
                    #expect(exit.code != 0, "\(process.report)")
                    #expect(process.errors.text.contains("left alone"), "\(process.report)")
                    #expect(process.errors.text.contains("disk"), "\(process.report)")
                }
                try await broker.rabbitmqctl(["set_disk_free_limit", "1MB"])
                let left = try await host.take(from: Self.letters)
                #expect(left.map(\.redelivered) == [false, false, false])
            }
            await broker.stop()
        }

        /// A note has nothing to replay, and a replay that leaves it is no return either.
        @Test(.timeLimit(.minutes(2))) func whatCannotBeReplayedIsNotReturned() async throws {
            try await withLetters(2, type: "quorum") { scene, host in
                var note = letter(3, error: "malformed", failed: "2026-01-07T10:30:00Z")
                note.properties.headers["x-buried-as"] = "note"
                try await host.publish([note], to: "", routingKey: Self.letters)
                for replayed in [2, 0, 0] {
                    let (exit, process) = try await scene.run(
                        ["dlq", "replay", "--json", "--queue", Self.queue], on: host)
                    #expect(exit.code == 1 && process.errors.text.contains("only a note"), "\(process.report)")
                    #expect(!process.errors.text.contains("returned"), "\(process.report)")
                    #expect(try lines(process).map(\.replayed) == [replayed])
                    #expect(try lines(process).map(\.left) == [1])
                }
                let left = try await host.take(from: Self.letters)
                #expect(left.map(\.redelivered) == [false] && left.map(\.message) == [note])
            }
        }

        /// Larger than what the broker takes by now, it can only be returned; those behind it are looked at, and replayed.
        @Test(.timeLimit(.minutes(2))) func aLetterThatCannotBeWrittenBackHoldsUpNoOther() async throws {
            let broker = try await LocalBroker.start()
            try await withScene { scene in
                let host = VirtualHost(of: broker)
                let (declared, process) = try await scene.run(
                    ["topology", "declare", "--queue-type", "quorum"], on: host)
                #expect(declared.code == 0, "\(process.report)")
                var large = letter(2, error: "malformed", failed: "2026-01-07T10:30:00Z")
                large.body = [UInt8](repeating: 32, count: 3 << 20)
                let small = [1, 3, 4].map { letter($0, error: "malformed", failed: "2026-01-07T10:30:00Z") }
                try await host.publish([small[0], large] + small[1...], to: "", routingKey: Self.letters)
                // RabbitMQ 3 reads the first, RabbitMQ 4 the second.
                try await broker.rabbitmqctl([
                    "eval",
                    "application:set_env(rabbit, max_message_size, 1048576), "
                        + "persistent_term:put(max_message_size, 1048576).",
                ])

                for look in 1...3 {
                    let (exit, process) = try await scene.run(["dlq", "list", "--json"], on: host)
                    #expect(exit.code == 0, "\(process.report)")
                    #expect(
                        Set(try lines(process).map(\.correlationId)) == Set((1...4).map { "shop-\($0)" }),
                        "look \(look): \(process.report)")
                    let words = look == 1 ? "returned: " : "(returns before this one: \(look - 1)): "
                    #expect(process.errors.text.contains(words), "\(process.report)")
                    #expect(process.errors.text.contains("delivery limit"), "\(process.report)")
                }
                let (exit, replay) = try await scene.run(
                    ["dlq", "replay", "--json", "--queue", Self.queue], on: host)
                #expect(exit.code == 1, "\(replay.report)")
                #expect(try lines(replay).map(\.replayed) == [3])
                #expect(try lines(replay).map(\.left) == [1])
                #expect(
                    try await host.take(from: Self.queue).compactMap { $0.properties.correlationID }.sorted()
                        == ["shop-1", "shop-3", "shop-4"])
                let left = try await host.take(from: Self.letters)
                #expect(left.map(\.message.bodySize) == [3 << 20])
            }
            await broker.stop()
        }

        /// A message that the broker dead-letters itself has none of our headers.
        @Test(.timeLimit(.minutes(2))) func theBrokersOwnLettersAreLikeAnyOther() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (exit, process) = try await scene.run(
                    ["topology", "declare", "--queue-type", "quorum"], on: host)
                #expect(exit.code == 0, "\(process.report)")
                try await host.broker.rabbitmqctl([
                    "set_policy", "-p", host.name, "limit", "^\(Self.queue)$",
                    #"{"delivery-limit":1,"dead-letter-exchange":"","dead-letter-routing-key":"\#(Self.letters)"}"#,
                    "--apply-to", "queues",
                ])
                try await host.publish(
                    [
                        Message(
                            text: #"{"order_id":77}"#,
                            properties: MessageProperties(correlationID: "shop-77", userID: "guest"))
                    ], to: "orders")
                // Lost with its connection, which counts in every version; since 4.3 a returned message does not.
                for _ in 0..<2 {
                    try await host.withConnection { connection in
                        for try await _ in connection.deliveries(from: Self.queue, prefetch: 1) { break }
                    }
                }
                try await host.waits(for: 1, in: [Self.letters])
                for filter in [[], ["--error", "delivery_limit"], ["--reason", Self.queue], ["--order", "77"]] {
                    let (exit, process) = try await scene.run(["dlq", "list", "--json"] + filter, on: host)
                    #expect(exit.code == 0, "\(process.report)")
                    let found = try lines(process)
                    #expect(found.map(\.error) == ["delivery_limit"], "\(filter)")
                    #expect(found.map(\.correlationId) == ["shop-77"])
                }
                let (_, none) = try await scene.run(["dlq", "list", "--json", "--error", "malformed"], on: host)
                #expect(try lines(none).isEmpty)
                let (replayed, replay) = try await scene.run(["dlq", "replay", "--json"], on: host)
                #expect(replayed.code == 0, "\(replay.report)")
                #expect(try lines(replay).first?.replayed == 1)
                let message = try #require(try await host.take(from: Self.queue).first)
                #expect(message.properties.headers.keys.allSatisfy { !$0.contains("death") })
                #expect(try await host.depths(of: [Self.letters]) == [Self.letters: 0])
            }
        }

        /// There is nothing in it that could be worked on.
        @Test(.timeLimit(.minutes(1))) func aNoteIsNotReplayed() async throws {
            try await withLetters(1) { scene, host in
                try await host.publish(
                    [Message(text: "{}", properties: MessageProperties(headers: ["x-buried-as": "note"]))], to: "",
                    routingKey: Self.letters)
                let (exit, process) = try await scene.run(["dlq", "replay", "--json"], on: host)
                #expect(exit.code == 1 && process.errors.text.contains("only a note"), "\(process.report)")
                #expect(try lines(process).first?.replayed == 1)
                #expect(try lines(process).first?.left == 1)
                #expect(try await host.depths(of: [Self.queue, Self.letters]).values.allSatisfy { $0 == 1 })
            }
        }

        /// What strangers wrote stands in lines that a terminal may show.
        @Test(.timeLimit(.minutes(1))) func whatMovesACursorIsEscaped() async throws {
            try await withLetters(1) { scene, host in
                let wild = "a\u{9B}31mb\u{202E}c\u{2066}d\u{61C}e\u{1B}[2Jf"
                try await host.publish(
                    [
                        Message(
                            text: wild,
                            properties: MessageProperties(
                                headers: ["x-reason": .string(wild), wild: "x"], correlationID: wild))
                    ], to: "", routingKey: Self.letters)
                for look in [["list", "--json"], ["peek", "--json"], ["list"], ["peek"]] {
                    let (exit, process) = try await scene.run(["dlq"] + look, on: host)
                    #expect(exit.code == 0)
                    for scalar in process.output.text.unicodeScalars where scalar != "\n" {
                        #expect(scalar == "─" || (0x20..<0x7F).contains(scalar.value), "\(look): \(scalar.value)")
                    }
                    // Nothing of it is lost to a program.
                    if look.contains("--json") { #expect(try lines(process).map(\.reason).contains(wild)) }
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func countsAreTrue() async throws {
            try await withLetters(120) { scene, host in
                for (filter, words) in [
                    (["--limit", "3"], "3 of 120 dead letters"), (["--error", "exhausted"], "40 of 120 dead letters"),
                    (["--error", "exhausted", "--limit", "2"], "2 of 120 dead letters"),
                ] {
                    let (_, process) = try await scene.run(["dlq", "list"] + filter, on: host)
                    #expect(process.errors.text.contains(words), "\(process.report)")
                }
                let (exit, process) = try await scene.run(["dlq", "replay", "--limit", "2"], on: host)
                #expect(exit.code == 0)
                #expect(
                    process.output.text.contains("looked at 2 of 120, 2 replayed, 118 left in the queue"),
                    "\(process.report)")
                let replayed = try await host.take(from: Self.queue)
                #expect(replayed.map { $0.properties.correlationID } == ["shop-1", "shop-2"])
                let left = try await host.take(from: Self.letters)
                #expect(left.map { $0.properties.correlationID } == (3...120).map { "shop-\($0)" })
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: ["classic", "quorum"])
        func whatIsMeantIsReplayedAndTheRestKeepsItsOrder(type: String) async throws {
            try await withLetters(7, type: type) { scene, host in
                let replay = ["dlq", "replay", "--json", "--queue", Self.queue, "--error", "malformed"]
                let (_, dry) = try await scene.run(replay + ["--dry-run"], on: host)
                #expect(try lines(dry).map(\.matched) == [5])
                #expect(try lines(dry).map(\.replayed) == [0])
                #expect(try lines(dry).map(\.dryRun) == [true])
                #expect(
                    try await host.depths(of: [Self.queue, Self.letters]) == [Self.queue: 0, Self.letters: 7])

                let (exit, process) = try await scene.run(replay, on: host)
                #expect(exit.code == 0, "\(process.report)")
                #expect(try lines(process).map(\.replayed) == [5])
                #expect(try lines(process).map(\.left) == [2])
                let replayed = try await host.take(from: Self.queue)
                #expect(
                    replayed.map { $0.properties.correlationID } == [1, 2, 4, 5, 7].map { "shop-\($0)" })
                for delivery in replayed {
                    let headers = delivery.properties.headers
                    #expect(Set(headers.keys) == ["note", "x-original-exchange", "x-first-failed-at"])
                    #expect(delivery.exchange == "" && delivery.routingKey == Self.queue)
                    #expect(
                        delivery.properties.type == "order" && delivery.properties.deliveryMode == .persistent)
                }
                // To one queue only, although the exchange has two.
                #expect(
                    try await host.depths(of: ["notifications_orders_queue"]) == [
                        "notifications_orders_queue": 0
                    ])
                let left = try await host.take(from: Self.letters)
                #expect(left.map { $0.properties.correlationID } == ["shop-3", "shop-6"])
            }
        }

        /// More letters are left than one consumer may hold, and what is meant stands behind them.
        @Test(.timeLimit(.minutes(2))) func aFilterIsNeverStuckBehindWhatItLeaves() async throws {
            try await withLetters(1201) { scene, host in
                let (exit, process) = try await scene.run(
                    ["dlq", "replay", "--json", "--order", "1201"], on: host)
                #expect(exit.code == 0, "\(process.report)")
                #expect(try lines(process).first?.replayed == 1)
                #expect(
                    try await host.take(from: Self.queue).map { $0.properties.correlationID } == ["shop-1201"]
                )
                let left = try await host.take(from: Self.letters)
                #expect(left.map { $0.properties.correlationID } == (1...1200).map { "shop-\($0)" })
            }
        }

        @Test(.timeLimit(.minutes(2))) func aKillInTheMiddleLosesNothing() async throws {
            try await withLetters(60) { scene, host in
                let first = try await scene.start("dlq", "replay", "--rate", "50", on: host)
                try await host.withConnection { connection in
                    try await eventually(within: .seconds(30), "some are replayed") {
                        try await connection.inspect(queue: Self.queue).messages >= 10
                    }
                }
                first.signal(SIGKILL)
                #expect(try await first.exit(within: .seconds(10)).isSignal)
                // What it held goes back with its connection.
                try await host.withConnection { connection in
                    try await eventually("the letters are back") {
                        let waiting = try await connection.inspect(queue: Self.queue).messages
                        let letters = try await connection.inspect(queue: Self.letters).messages
                        return waiting >= 10 && letters >= 1 && waiting + letters >= 60
                    }
                }
                let (exit, process) = try await scene.run(["dlq", "replay"], on: host)
                #expect(exit.code == 0, "\(process.report)")
                #expect(try await host.depths(of: [Self.letters]) == [Self.letters: 0])
                let replayed = try await host.take(from: Self.queue).compactMap { $0.properties.messageID }
                #expect(Set(replayed) == Set((1...60).map { "shop-\($0)/order" }))
                #expect(replayed.count <= 61, "one message at most comes twice")
            }
        }

        @Test(.timeLimit(.minutes(2))) func aStopSignalEndsAReplayInGoodOrder() async throws {
            try await withLetters(60) { scene, host in
                let process = try await scene.start("dlq", "replay", "--rate", "20", on: host)
                try await host.withConnection { connection in
                    try await eventually(within: .seconds(30), "some are replayed") {
                        try await connection.inspect(queue: Self.queue).messages >= 3
                    }
                }
                process.signal(SIGTERM)
                #expect(try await process.exit(within: .seconds(10)).code == 0, "\(process.report)")
                let depths = try await host.depths(of: [Self.queue, Self.letters])
                #expect(depths.values.reduce(0, +) == 60, "nothing is lost, and nothing twice")
                let (replayed, left) = (depths[Self.queue] ?? 0, depths[Self.letters] ?? 0)
                #expect(
                    process.output.text.contains("\(replayed) replayed, \(left) left in the queue"),
                    "\(process.report)")
            }
        }

        /// What fails again becomes a new letter, which one replay does not take up a second time.
        @Test(.timeLimit(.minutes(2))) func aReplayEndsAlthoughTheMessagesFailAgain() async throws {
            try await withLetters(5) { scene, host in
                let payment = try await scene.start("payment", "--speed", "max", on: host)
                try await payment.becomesReady()
                let (exit, process) = try await scene.run(["dlq", "replay", "--json"], on: host)
                #expect(exit.code == 0, "\(process.report)")
                #expect(try lines(process).first?.replayed == 5)
                try await host.waits(for: 5, in: [Self.letters])
                for letter in try await host.take(from: Self.letters) {
                    let headers = letter.properties.headers
                    #expect(headers["x-error"] == "malformed" && headers["x-attempts"] == 1)
                    #expect(headers["x-original-exchange"] == "orders")
                    #expect(headers["x-reason"]?.text?.hasPrefix("reason") == false)
                }
                try await payment.drains()
            }
        }

        /// More letters than one consumer holds at once are counted, and another consumer takes the last of them.
        @Test(.timeLimit(.minutes(2))) func aReplayEndsWhenOthersTakeTheLetters() async throws {
            try await withLetters(700) { scene, host in
                let process = try await scene.start("dlq", "replay", "--json", "--rate", "200", on: host)
                try await host.withConnection { connection in
                    try await eventually(within: .seconds(30), "some are replayed") {
                        try await connection.inspect(queue: Self.queue).messages >= 1
                    }
                }
                try await host.withConnection { connection in
                    var taken = 0
                    for try await delivery in connection.deliveries(from: Self.letters, prefetch: 50) {
                        delivery.acknowledge()
                        taken += 1
                        if taken == 50 { break }
                    }
                }
                let exit = try await process.exit(within: .seconds(30))
                #expect(exit.code == 0, "\(process.report)")
                #expect(try lines(process).first?.replayed == 650)
                #expect(try await host.depths(of: [Self.letters]) == [Self.letters: 0])
            }
        }

        @Test(.timeLimit(.minutes(2))) func aPurgeAsksFirst() async throws {
            try await withLetters(6) { scene, host in
                let (refused, process) = try await scene.run(["dlq", "purge"], on: host)
                #expect(refused.code == 64, "\(process.report)")
                #expect(process.errors.text.contains("--yes"))
                let (dry, dryProcess) = try await scene.run(
                    ["dlq", "purge", "--dry-run", "--json"], on: host)
                #expect(dry.code == 0)
                #expect(try lines(dryProcess).first?.matched == 6)
                let (no, said) = try await answered("n", scene, host)
                #expect(no.code == 1 && said.contains("nothing was deleted"), "\(said)")
                #expect(try await host.depths(of: [Self.letters]) == [Self.letters: 6])
                let (yes, done) = try await answered("y", scene, host)
                #expect(yes.code == 0 && done.contains("2 deleted"), "\(done)")
                #expect(
                    try await host.take(from: Self.letters).map { $0.properties.correlationID }
                        == [1, 2, 4, 5].map { "shop-\($0)" })

                let (exit, last) = try await scene.run(["dlq", "purge", "--yes", "--json"], on: host)
                #expect(exit.code == 0)
                #expect(try lines(last).first?.deleted == 0)
                #expect(try lines(last).allSatisfy { $0.left == 0 }, "\(last.report)")
            }
        }

        /// Purges the exhausted at a terminal, and gives this answer.
        private func answered(_ answer: String, _ scene: Scene, _ host: VirtualHost) async throws
            -> (exit: ChildProcess.Exit, said: String)
        {
            let script = """
                set timeout 30
                spawn \(try Program.pipelineRun()) dlq purge --error exhausted
                expect {
                    -re {Delete 2 from payment_processor_queue.dlq for good\\? \\[y/N\\]} { send "\(answer)\\r" }
                    timeout { exit 99 }
                    eof { exit 98 }
                }
                expect eof
                lassign [wait] pid spawnid failed code
                exit $code
                """
            let file = "\(scene.folder)/purge-\(answer).exp"
            try script.write(toFile: file, atomically: true, encoding: .utf8)
            let process = try await scene.start(
                program: "/usr/bin/expect", [file], ["AMQP_URL": host.url], "expect")
            let exit = try await process.exit(within: .seconds(60))
            return (exit, process.output.text)
        }
    }
}

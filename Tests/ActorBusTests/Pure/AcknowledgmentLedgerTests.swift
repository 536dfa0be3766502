import Testing

@testable import ActorBus

@Suite struct AcknowledgmentLedgerTests {
    private func frames(_ ledger: inout AcknowledgmentLedger) -> [AcknowledgmentLedger.Frame] {
        var frames: [AcknowledgmentLedger.Frame] = []
        ledger.flush { frames.append($0) }
        return frames
    }

    private func ledger(delivered count: UInt64) -> AcknowledgmentLedger {
        var ledger = AcknowledgmentLedger()
        for tag in 1...count { #expect(ledger.deliver(tag) == true) }
        return ledger
    }

    @Test(arguments: [UInt64(0), 1, 3, .max])
    func aTagThatIsNotTheNextIsRefused(tag: UInt64) {
        var ledger = ledger(delivered: 1)
        #expect(ledger.deliver(tag) == false)
        #expect(ledger.deliver(2) == true)
    }

    @Test func aRunFromTheOldestSharesAFrame() {
        var ledger = ledger(delivered: 4)
        for tag: UInt64 in [3, 1, 2] { #expect(ledger.settle(tag, .acknowledge) == true) }
        #expect(frames(&ledger) == [.acknowledge(deliveryTag: 3, multiple: true)])
        #expect(ledger.unsettled == 1)
    }

    @Test func whatComesAfterAnUnsettledOneGoesAlone() {
        var ledger = ledger(delivered: 4)
        for tag: UInt64 in [2, 4] { #expect(ledger.settle(tag, .acknowledge) == true) }
        #expect(
            frames(&ledger) == [
                .acknowledge(deliveryTag: 2, multiple: false), .acknowledge(deliveryTag: 4, multiple: false),
            ])
        #expect(ledger.settle(1, .acknowledge) == true)
        // 2 was acknowledged alone, so 1 goes alone too; 3 is unsettled.
        #expect(frames(&ledger) == [.acknowledge(deliveryTag: 1, multiple: false)])
        #expect(ledger.settle(3, .acknowledge) == true)
        #expect(frames(&ledger) == [.acknowledge(deliveryTag: 3, multiple: false)])
        #expect(frames(&ledger) == [])
    }

    @Test func negativesGoBeforeAnAcknowledgmentThatWouldCoverThem() {
        var ledger = ledger(delivered: 3)
        #expect(ledger.settle(1, .acknowledge) == true)
        #expect(ledger.settle(3, .acknowledge) == true)
        #expect(ledger.settle(2, .requeue) == true)
        #expect(
            frames(&ledger) == [.negative(deliveryTag: 2, requeue: true), .acknowledge(deliveryTag: 3, multiple: true)])
    }

    @Test func settlingTwiceOrTheUnknownChangesNothing() {
        var ledger = ledger(delivered: 2)
        #expect(ledger.settle(1, .reject) == true)
        #expect(ledger.settle(1, .acknowledge) == false)
        #expect(ledger.settle(0, .acknowledge) == false)
        #expect(ledger.settle(3, .acknowledge) == false)
        #expect(ledger.settle(.max, .acknowledge) == false)
        #expect(frames(&ledger) == [.negative(deliveryTag: 1, requeue: false)])
        #expect(ledger.settle(1, .acknowledge) == false)
        #expect(frames(&ledger) == [])
    }

    /// Random orders against what a broker does with the frames: it holds every tag that was delivered, and a frame takes away what it
    /// covers. No frame may cover a tag that is unsettled, or none at all, and in the end each is settled once, as it was asked for.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func everySettledTagIsCoveredExactlyOnce(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var ledger = AcknowledgmentLedger()
        var held: Set<UInt64> = []
        var unsettled: Set<UInt64> = []
        var asked: [UInt64: Settlement] = [:]
        var answered: [UInt64: Settlement] = [:]
        var next: UInt64 = 1

        func flush() {
            ledger.flush { frame in
                switch frame {
                case .acknowledge(let tag, let multiple):
                    #expect(held.contains(tag), "RabbitMQ closes the channel over an unknown tag")
                    let covered: Set<UInt64> = multiple ? held.filter { $0 <= tag } : [tag]
                    #expect(covered.isDisjoint(with: unsettled))
                    for tag in covered {
                        #expect(answered[tag] == nil)
                        answered[tag] = .acknowledge
                    }
                    held.subtract(covered)
                case .negative(let tag, let requeue):
                    #expect(held.remove(tag) != nil)
                    #expect(!unsettled.contains(tag))
                    answered[tag] = requeue ? .requeue : .reject
                }
            }
            #expect(answered == asked)
        }

        for _ in 0..<300 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                #expect(ledger.deliver(next) == true)
                held.insert(next)
                unsettled.insert(next)
                next += 1
            case 4..<9:
                guard let tag = unsettled.sorted().randomElement(using: &random) else { continue }
                let settlement: Settlement = [.acknowledge, .acknowledge, .acknowledge, .requeue, .reject]
                    .randomElement(using: &random)!
                #expect(ledger.settle(tag, settlement) == true)
                #expect(ledger.settle(tag, .acknowledge) == false)
                unsettled.remove(tag)
                asked[tag] = settlement
            default: flush()
            }
            #expect(ledger.unsettled == unsettled.count)
        }
        for tag in unsettled.shuffled(using: &random) {
            #expect(ledger.settle(tag, .acknowledge) == true)
            unsettled.remove(tag)
            asked[tag] = .acknowledge
        }
        flush()
        #expect(held.isEmpty)
        #expect(ledger.unsettled == 0)
    }
}

/// Which published messages of a channel the broker has not yet answered (RabbitMQ, "Publisher Confirms").
///
/// The broker numbers the messages of a channel from 1 in the order they were published, and answers one number, or all
/// up to one. Pure: no I/O and no clock.
struct ConfirmLedger<Entry> {
    /// From the oldest unanswered message on; nil where a later one was answered before an earlier.
    private var entries = Ring<Entry?>()
    /// The sequence number of the first of `entries`.
    private var first: UInt64
    /// Where the next search begins: behind what the last one found.
    private var searched: UInt64 = 0
    /// How many messages are unanswered.
    private(set) var unanswered = 0

    /// A ledger for a channel whose next message has this number: 1 on a new channel.
    init(first: UInt64 = 1) { self.first = first }

    /// Notes a message as published and returns its sequence number.
    @discardableResult
    mutating func append(_ entry: Entry) -> UInt64 {
        entries.append(entry)
        unanswered += 1
        return first + UInt64(entries.count) - 1
    }

    /// Takes out what an answer of the broker stands for, in order of publication: the message `number`, or with
    /// `multiple` all up to it, or all there are for the number 0. False, and nothing taken, when the number was never
    /// given out.
    mutating func answer(_ number: UInt64, multiple: Bool, _ body: (Entry) -> Void) -> Bool {
        let end = first + UInt64(entries.count)
        guard number < end, number > 0 || multiple else { return false }
        if multiple {
            let last = number == 0 ? end - 1 : number
            while first <= last, let entry = entries.popFirst() {
                first += 1
                if let entry { take(entry, body) }
            }
        } else if number >= first {
            // Below 2^31 by construction: the window bounds the ledger.
            let position = Int(number - first)
            if let entry = entries[position] {
                entries[position] = nil
                take(entry, body)
            }
            trim()
        }
        return true
    }

    /// The first unanswered entry for which `matches` holds, behind the one that was found last, or else, before it. In
    /// order of publication, so that searches in that order look at each entry once.
    mutating func next(where matches: (Entry) -> Bool) -> Entry? {
        let start = searched > first ? min(Int(searched - first), entries.count) : 0
        for range in [start..<entries.count, 0..<start] {
            for position in range {
                guard let entry = entries[position], matches(entry) else { continue }
                searched = first + UInt64(position) + 1
                return entry
            }
        }
        return nil
    }

    /// Looks at every unanswered entry, in order of publication.
    func forEach(_ body: (Entry) -> Void) {
        for position in 0..<entries.count {
            if let entry = entries[position] { body(entry) }
        }
    }

    /// Takes all unanswered entries, in order of publication, and begins anew at 1, as a new channel does.
    mutating func removeAll() -> [Entry] {
        first = 1
        searched = 0
        unanswered = 0
        return entries.removeAll().compactMap { $0 }
    }

    private mutating func take(_ entry: Entry, _ body: (Entry) -> Void) {
        unanswered -= 1
        body(entry)
    }

    private mutating func trim() {
        while case .some(.none) = entries.first {
            _ = entries.popFirst()
            first += 1
        }
    }
}

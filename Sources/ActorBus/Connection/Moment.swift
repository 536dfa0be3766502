/// What the world adds to an event: the time, and a number drawn at random for the pause that may follow. The machines know no
/// clock and draw no numbers themselves.
struct Moment {
    var now: Instant
    var jitter: UInt64
}

import Testbed
import Testing

/// The pipeline seen from outside: the real `pipeline-run` as child processes, a real broker, and nothing else.
///
/// One after the other, since each keeps two cores busy and some measure time.
@Suite(.logsOnFailure, .serialized) enum EndToEnd {}

/// The same under faults of the broker; each test has a broker of its own and mostly waits.
@Suite(.logsOnFailure, .serialized) enum Faults {}

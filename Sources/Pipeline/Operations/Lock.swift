#if TSAN
    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #else
        import Darwin
    #endif
#else
    import Synchronization
#endif

/// A value behind a mutex.
///
/// `Synchronization.Mutex` in all builds but one: ThreadSanitizer does not see its futex on Linux and reports races
/// that are none, so a build with `-DTSAN` takes a pthread mutex, which it knows. `@safe`, because that mutex's memory
/// belongs to this class alone and lives as long as it.
@safe
package final class Lock<Value: Sendable>: @unchecked Sendable {
    // `@unchecked`, because in the TSAN build `value` is a plain variable; only `withLock` touches it.
    #if TSAN
        private let mutex: UnsafeMutablePointer<pthread_mutex_t>
        private var value: Value
    #else
        private let mutex: Mutex<Value>
    #endif

    package init(_ value: Value) {
        #if TSAN
            // On the heap, since a pthread mutex must not move.
            unsafe mutex = .allocate(capacity: 1)
            unsafe mutex.initialize(to: pthread_mutex_t())
            let code = unsafe pthread_mutex_init(mutex, nil)
            precondition(code == 0, "pthread_mutex_init: error \(code)")
            self.value = value
        #else
            mutex = Mutex(value)
        #endif
    }

    #if TSAN
        deinit {
            unsafe pthread_mutex_destroy(mutex)
            unsafe mutex.deallocate()
        }
    #endif

    /// Runs `body` with the value while no one else has it. Nothing slow and nothing foreign belongs in `body`.
    package func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        #if TSAN
            unsafe pthread_mutex_lock(mutex)
            defer { unsafe pthread_mutex_unlock(mutex) }
            return body(&value)
        #else
            return mutex.withLock { body(&$0) }
        #endif
    }
}

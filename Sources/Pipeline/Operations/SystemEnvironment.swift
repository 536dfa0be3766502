#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The environment of the process, read without Foundation.
package enum SystemEnvironment {
    /// The value of a variable, nil where it is not set.
    package static func value(of name: String) -> String? {
        // The C string belongs to the environment; it is copied at once, and nothing here ever sets a variable.
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe String(cString: text)
    }
}

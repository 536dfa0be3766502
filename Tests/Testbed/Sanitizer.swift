import Glibc

/// The sanitizer that the tests run under, which `scripts/sanitize` says. It takes memory of its own, so none is measured.
public enum Sanitizer {
    public static let isOn = unsafe getenv("SANITIZER") != nil
}

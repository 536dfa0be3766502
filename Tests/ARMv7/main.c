#include <stdio.h>
#include <stdlib.h>

int run_checks(void);

// Line by line, so that a trap loses nothing of what came before it.
int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    return run_checks();
}

#ifdef EMBEDDED
// What the standard library reads a Double with, and Embedded Swift leaves to its host. The locale here is "C".
const char *_swift_stdlib_strtod_clocale(const char *text, double *number) {
    char *end;
    *number = strtod(text, &end);
    return end;
}
#endif

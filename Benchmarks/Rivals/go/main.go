// amqp091-go at the work that every rival does; the environment says which.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		printVersion()
		return
	}
	s := settingsFromEnvironment()
	// Whatever becomes of the driver, this process does not stay.
	time.AfterFunc(time.Duration(s.limit)*time.Second, func() { fail("took longer than %d s", s.limit) })

	works := map[string]func(settings){
		"publish": workPublish,
		"confirm": workConfirm,
		"consume": workConsume,
		"latency": workLatency,
		"idle":    workIdle,
	}
	run, known := works[s.work]
	if !known {
		fail("there is no work called '%s'", s.work)
	}
	run(s)
}

func fail(format string, arguments ...interface{}) {
	fmt.Fprintf(os.Stderr, "amqp091-go: "+format+"\n", arguments...)
	os.Exit(1)
}

func require(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}
